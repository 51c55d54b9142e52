#!/bin/sh
# sanitized.sh TEST - one test of the whole program, against the program built with AddressSanitizer, LeakSanitizer and UBSan.
#
# A role that a sanitizer stops is started again by its supervisor, and the test may well pass: so each process writes its
# report to a file, and any file there fails the test. Roles are not confined by Landlock and seccomp in this build.
set -eu
reports=$(mktemp -d "${TMPDIR:-/tmp}/veilleuse-sanitized.XXXXXX")
trap 'rm -rf "$reports"' EXIT
trap 'exit 1' INT TERM
status=0
VEILLEUSE=$PWD/build/asan/veilleuse VEILLEUSE_PICTURES=$reports/pictures FAST=1 \
    ASAN_OPTIONS=log_path="$reports/address" UBSAN_OPTIONS=log_path="$reports/undefined:print_stacktrace=1" \
    LSAN_OPTIONS=suppressions="$PWD/tests/leaks.txt:print_suppressions=0" \
    "$1" || status=$?
for report in "$reports/address"* "$reports/undefined"*; do
    [ -f "$report" ] || continue
    status=1
    head -n 60 "$report" >&2
done
exit $status
