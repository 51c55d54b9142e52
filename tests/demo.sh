#!/bin/sh
# demo.sh - a node with a simulated hospital of 300 beds, in a directory of its own that is gone afterwards.
#
# DEMO_HISTORY hours of the past are sent first, then the hospital goes on at its real rate. Called by ./dev demo.
set -eu
cd "$(dirname "$0")/.."
program=build/release/veilleuse
dir=$(mktemp -d "${TMPDIR:-/tmp}/veilleuse-demo.XXXXXX")
serve_pid='' simulate_pid=''

# What the machine remembers of this site's signatures, outside its directory (docs/format/vault.md, "Epochs of the origin").
forget() {
    while IFS=+ read -r origin _ key; do
        name=$({ printf %s "$origin"; printf %s "$key" | base64 -d | tail -c +2; } | sha256sum | cut -c1-16)
        rm -f "/dev/shm/veilleuse-$name"
    done <"$dir/site/vault/verifier" 2>/dev/null || true
}

leave() {
    trap - EXIT INT TERM
    [ -z "$simulate_pid" ] || kill "$simulate_pid" 2>/dev/null || true
    [ -z "$serve_pid" ] || kill "$serve_pid" 2>/dev/null || true
    wait 2>/dev/null || true
    forget
    rm -rf "$dir"
}
trap leave EXIT
trap 'exit 0' INT TERM

"$program" init "$dir/site" --site demo --name "Hôpital de démonstration" --demo >/dev/null
# Short thresholds, so that silence shows within a minute; longer ones for what speaks seldom.
sed -i 's/^late_s = .*/late_s = 30/; s/^silent_s = .*/silent_s = 60/' "$dir/site/veilleuse.conf"
printf 'feed = %s\n' 'LABO 900 2400' 'GAM 3600 7200' 'DPI 7200 14400' 'PHARMA 28800 43200' >>"$dir/site/veilleuse.conf"
"$program" serve "$dir/site" --mllp "127.0.0.1:${DEMO_MLLP:-0}" --web "127.0.0.1:${DEMO_WEB:-0}" >"$dir/serve.out" 2>"$dir/serve.err" &
serve_pid=$!
tries=0
until grep -qs '^web ' "$dir/serve.out"; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$serve_pid" 2>/dev/null; then
        cat "$dir/serve.err" >&2
        exit 1
    fi
    sleep 0.1
done
mllp=$(sed -n 's/^mllp //p' "$dir/serve.out")
web=$(sed -n 's/^web //p' "$dir/serve.out")
"$program" simulate --beds 300 --seed 1 --history "${DEMO_HISTORY:-48}" "$mllp" >"$dir/simulate.out" 2>&1 &
simulate_pid=$!

cat <<TEXT

  A hospital of 300 simulated beds is alight:   $web

  1. Open a ward, then a patient: allergies stand in the banner, results below, each figure leads to its message.
  2. Search (key /) for a name, with or without accents; look at "Flux" and at what was set aside.
  3. The attack: press Enter here and the hospital's systems fall silent. The pages stay, and say since when.

  Ctrl-C ends everything and leaves nothing behind.

TEXT
if [ -t 0 ]; then
    read -r _ || true
    kill "$simulate_pid" 2>/dev/null || true
    simulate_pid=''
    printf '  The feeds are silent since %s. The pages turn amber after 30 s, red after 60 s. Ctrl-C ends.\n' "$(date +%H:%M:%S)"
fi
wait "$serve_pid"
