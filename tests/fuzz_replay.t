#!/bin/sh
# Every fuzzer reads its corpus once, in the ordinary build and under the sanitizers.
cd "$(dirname "$0")/.." || exit 1
n=0
for mode in release asan; do
    for program in build/$mode/fuzz/fuzz_*; do
        case $program in *.o | *.d) continue ;; esac
        [ -x "$program" ] || continue
        name=${program##*/fuzz_}
        n=$((n + 1))
        if "$program" "fuzz/corpus/$name" >/dev/null 2>&1; then echo "ok $n - $name ($mode)"; else echo "not ok $n - $name ($mode)"; fi
    done
done
echo "1..$n"
