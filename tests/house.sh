#!/bin/bash
# house.sh - checks what docs/decisions and HACKING.md promise of every source file; prints TAP for prove.
#
# usage: tests/house.sh [DIR]     DIR holds the objects of a release build (default build/release/obj)
#
#  1 includes point only downward, in the order of PARTS in the Makefile
#  2 another part is known only by its public header, src/<part>/<part>.h (all of base's are public)
#  3 every file begins with one line that says what it does
#  4 no object calls what is never called here
#  5 the kernel is called only by base/sys, so that tests can make any call fail
#  6 memory comes only from base/arena and base/pool
# Files over 800 lines are mentioned, not refused.

cd "$(dirname "$0")/.." || exit 1
objects=${1:-build/release/obj}
objects=${objects%/}
lines_max=800

# What may be called all the same: object, symbol, and why it must be.
exceptions='
base/sys.o      *         the one door to the kernel
base/arena.o    memory    the one door to malloc, for what is given back as a whole
base/pool.o     memory    the one door to malloc, for what is sized at start
'

never='strcpy strcat strncpy sprintf vsprintf gets strtok strtok_r atoi atol gmtime localtime asctime ctime
mktemp tmpnam system popen alloca'
kernel='open open64 openat openat64 creat creat64 fopen fopen64 write pwrite pwrite64 writev fsync fdatasync
fallocate fallocate64 ftruncate ftruncate64 rename link unlink unlinkat remove mkdir rmdir socket socketpair bind listen connect accept
accept4 send sendto sendmsg recv recvfrom recvmsg time clock_gettime gettimeofday random rand srand drand48'
memory='malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf posix_memalign aligned_alloc'

parts=$(sed -n 's/^PARTS *:= *//p' Makefile)
test_count=0
failed=0

# report NAME PROBLEMS: one line of TAP, with what was found behind it.
report() {
    test_count=$((test_count + 1))
    if [ -z "$2" ]; then
        echo "ok $test_count - $1"
    else
        failed=1
        echo "not ok $test_count - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
    fi
}

# The part of a path below src/, and its place in the order; main.c stands above all.
part_of() {
    local part
    for part in $parts; do
        case $1 in "$part"/*) echo "$part"; return ;; esac
    done
    echo main
}
rank_of() {
    local part rank=0
    for part in $parts; do
        [ "$part" = "$1" ] && break
        rank=$((rank + 1))
    done
    echo $rank
}

# "file line included" for every #include with quotes.
includes() {
    find src -name '*.[ch]' -print0 | sort -z |
        xargs -0 grep -nH '^ *# *include *"' | sed -E 's/^src\/([^:]*):([0-9]+): *# *include *"([^"]*)".*/\1 \2 \3/'
}

upward_includes() {
    includes | while read -r file line included; do
        case $included in
        */*) ;;
        *) echo "src/$file:$line: \"$included\" should be written from src/ on"; continue ;;
        esac
        from=$(part_of "$file") to=$(part_of "$included")
        if [ "$(rank_of "$to")" -gt "$(rank_of "$from")" ]; then
            echo "src/$file:$line: $from includes $included, which is above it"
        fi
    done
}

private_includes() {
    includes | while read -r file line included; do
        from=$(part_of "$file") to=$(part_of "$included")
        [ "$from" = "$to" ] || [ "$to" = base ] || [ "$included" = "$to/${to##*/}.h" ] ||
            echo "src/$file:$line: $included is private to $to"
    done
}

nameless_files() {
    find src -name '*.[ch]' | sort | while read -r file; do
        head -n 1 "$file" | grep -qF "/* $(basename "$file") - " || echo "$file"
    done
}

# is_excepted OBJECT SYMBOL LIST: by name, by the name of the list, or altogether.
is_excepted() {
    local object symbol reason
    while read -r object symbol reason; do
        [ "$object" = "$1" ] && case $symbol in "*" | "$2" | "$3") return 0 ;; esac
    done <<<"$exceptions"
    return 1
}

# banned_calls LIST: the objects that call one of its names. What _FORTIFY_SOURCE puts in their place
# (__sprintf_chk, __open_2) counts as the name itself.
banned_calls() {
    local list=${!1}
    nm -u -A "$objects"/*.o $(find "$objects" -mindepth 2 -name '*.o') 2>/dev/null |
        sed -nE "s|^$objects/([^:]*): +U +([^@]*).*|\1 \2|p" |
        while read -r object symbol; do
            plain=${symbol#__}
            plain=${plain%_chk}
            [ "$plain" = "$symbol" ] || plain=${plain%_2}
            case " ${list//$'\n'/ } " in
            *" $plain "*) is_excepted "$object" "$plain" "$1" || echo "$object calls $plain" ;;
            esac
        done
}

check_calls() {
    if [ -z "$(find "$objects" -name '*.o' 2>/dev/null | head -n 1)" ]; then
        test_count=$((test_count + 1))
        echo "ok $test_count - $2 # SKIP no objects in $objects"
        return
    fi
    report "$2" "$(banned_calls "$1")"
}

report 'includes point only downward' "$(upward_includes)"
report 'other parts are known by their public header only' "$(private_includes)"
report 'every file begins by saying what it does' "$(nameless_files)"
check_calls never 'nothing is called that is never called here'
check_calls kernel 'the kernel is called by base/sys only'
check_calls memory 'memory comes from arenas and pools only'

find src tests bench fuzz tools -name '*.[ch]' -exec wc -l {} + | awk -v max=$lines_max \
    '$2 != "total" && $1 > max { print "# " $2 " has " $1 " lines: what is it really two of?" }'
echo "1..$test_count"
exit $failed
