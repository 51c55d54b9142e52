#!/bin/sh
# deb.sh - build/veilleuse_VERSION_ARCH.deb out of a release build; the same bytes for the same commit.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
architecture=$(dpkg --print-architecture)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
top=build/deb
tree=$top/tree
package=build/veilleuse_${version}_$architecture.deb

rm -rf "$top"
umask 022
mkdir -p "$tree/DEBIAN" "$top/debian"
put() { install -D -m "$1" "$2" "$tree/$3"; }
put 0755 build/release/veilleuse usr/bin/veilleuse
strip --strip-unneeded --remove-section=.comment "$tree/usr/bin/veilleuse"
put 0755 build/verify/veilleuse-verify usr/bin/veilleuse-verify
strip --strip-unneeded --remove-section=.comment "$tree/usr/bin/veilleuse-verify"
put 0644 deploy/veilleuse.service lib/systemd/system/veilleuse.service
put 0644 deploy/veilleuse.sysusers usr/lib/sysusers.d/veilleuse.conf
put 0644 docs/veilleuse.1 usr/share/man/man1/veilleuse.1
gzip -9n "$tree/usr/share/man/man1/veilleuse.1"
documents=usr/share/doc/veilleuse
for file in README.md docs/*.md docs/format/*.md; do put 0644 "$file" "$documents/${file#docs/}"; done
put 0644 deploy/copyright "$documents/copyright"
put 0644 tools/verify/README.md "$documents/second-verifier.md"
{
    printf 'veilleuse (%s) unstable; urgency=medium\n\n  * See the history of the sources.\n\n -- The Veilleuse developers <veilleuse@localhost>  %s\n' \
        "$version" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$tree/$documents/changelog.gz"

# The libraries that the program is linked with, as Debian names them.
printf 'Source: veilleuse\n\nPackage: veilleuse\nArchitecture: %s\n' "$architecture" >"$top/debian/control"
depends=$(cd "$top" && dpkg-shlibdeps -O --ignore-missing-info tree/usr/bin/veilleuse 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
size=$(find "$tree/usr" "$tree/lib" -type f -printf '%k\n' | awk '{n += $1} END {print n}')
cat >"$tree/DEBIAN/control" <<CONTROL
Package: veilleuse
Version: $version
Architecture: $architecture
Maintainer: The Veilleuse developers <veilleuse@localhost>
Installed-Size: $size
Depends: $depends, tzdata, fonts-dejavu-core
Section: net
Priority: optional
Description: keeps a hospital working when its information system is gone
 Veilleuse takes a copy of the HL7 v2 messages of a hospital's systems, keeps
 them in a sealed and provable vault, and shows the wards who is where, with
 allergies and results, when ransomware has taken everything else.
CONTROL
for script in postinst prerm; do install -m 0755 "deploy/$script" "$tree/DEBIAN/$script"; done
(cd "$tree" && find usr lib -type f | LC_ALL=C sort | xargs md5sum >DEBIAN/md5sums)
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$tree" "$package" >/dev/null
rm -rf "$top"
echo "$package"
