#!/bin/sh
{ # The beginning of dist/PROGRAM: unpacks what follows it once, then starts it. A single compound command, so that
# a file that was cut off here is a syntax error and runs nothing. Needs sh, tar, gzip, mkdir, rm, and id for users.
name="${0##*/}"
digest='DIGEST'
tree='TREE'
reasons=''
# Whether to show progress: to a person at a terminal who has not refused it.
shown=''
case " $* " in *' -q '* | *' --quiet '*) ;; *) if [ -t 2 ] && [ -z "${MSTUNNEL_QUIET:-}" ]; then shown=v; fi ;; esac

# Run the interpreter of the directory $1.
python() {
    folder="$1"
    shift
    "$folder/lib/LOADER" --inhibit-cache --library-path "$folder/lib" --argv0 "$folder/bin/PYTHON" \
        "$folder/bin/PYTHON" -I -S -B "$@"
}

# Whether the directory $1 is complete. The mark was written last; what got lost later shows in the sizes. An exit code
# would prove nothing: the shell runs an empty file as a script that succeeds.
ready() {
    [ -r "$1/$tree/complete" ] && read -r found <"$1/$tree/complete" && [ "$found" = "$digest" ] &&
        [ "$(python "$1/$tree" "$1/$tree/check.py" 2>/dev/null)" = whole ]
}

start() {
    place="$1"
    shift
    exec "$place/$tree/lib/LOADER" --inhibit-cache --library-path "$place/$tree/lib" --argv0 "$place/$tree/bin/PYTHON" \
        "$place/$tree/bin/PYTHON" -I -S -B "$place/$tree/start.py" "$0" "$@"
}

payload() {
    while read -r line && [ "$line" != '__PAYLOAD__' ]; do :; done
    "$@"
}

# Show on descriptor 4 how many of all members tar has named.
progress() {
    count=0
    while read -r line; do
        count=$((count + 1))
        if [ $((count % 20)) = 0 ] || [ $count = ENTRIES ]; then
            printf '\rUnpacking PROGRAM %s: %s %%' "${tree%-*}" $((count * 100 / ENTRIES)) >&4
        fi
    done
}

# Leave nothing of it on the terminal.
wipe() {
    if [ -n "$shown" ]; then printf '\r%50s\r' '' >&2; fi
}

extract() {
    if [ -n "$shown" ]; then LC_ALL=C tar -xvf - -C "$partial" | progress; else LC_ALL=C tar -xf - -C "$partial"; fi
}

# Unpack below the directory $1 under a temporary name; the interpreter inside does the rest (complete.py).
unpack() {
    partial="$1/.$tree.$$"
    mask="$(umask)"
    umask 022
    if said="$(mkdir -p "$1" 2>&1 && mkdir "$partial" 2>&1)" &&
        said="$(if [ -n "$shown" ]; then exec 4>&2; fi
            { { payload gzip -dc <"$0" && echo "$digest" >&3; } | extract; } 3>&1 2>&1)" &&
        [ "$said" = "$digest" ] && said="$(python "$partial" "$partial/complete.py" "$1/$tree" "$digest" 2>&1)" &&
        [ "$said" = complete ]; then
        umask "$mask"
        wipe
        return 0
    fi
    umask "$mask"
    wipe
    rm -rf "$partial"
    intact
    case "$said" in *'No space left'*) said='no space left' ;; esac
    reasons="$reasons
  $1: ${said%%
*}"
    return 1
}

# Ends the program when what follows is not what was packed.
intact() {
    problem=''
    payload gzip -t <"$0" 2>/dev/null || problem='gzip cannot read it'
    if command -v sha256sum >/dev/null; then
        sum="$(payload sha256sum <"$0")"
        [ "${sum%% *}" = "$digest" ] || problem="it has ${sum%% *}"
    fi
    [ -z "$problem" ] || fail "$0 is damaged: its payload must have the SHA-256 checksum $digest; $problem. Copy it again."
}

fail() {
    echo "$name: $1" >&2
    exit 3
}

system='/usr/lib/PROGRAM /var/lib/PROGRAM /run/PROGRAM'
for place in $system; do
    if ready "$place"; then start "$place" "$@"; fi
done
if [ "$(id -u)" = 0 ]; then
    for place in $system; do
        if unpack "$place"; then start "$place" "$@"; fi
    done
else
    own="${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/PROGRAM"
    if [ -e "$own" ] && [ ! -O "$own" ]; then fail "$own belongs to another user: remove it, or set XDG_CACHE_HOME."; fi
    above="${own%/*}"
    made=''
    if [ ! -e "$above" ]; then made=yes; fi
    if ready "$own"; then start "$own" "$@"; fi
    if unpack "$own"; then
        # An uninstallation removes the directory above, too.
        if [ -n "$made" ]; then true >"$own/.made-above"; fi
        start "$own" "$@"
    fi
fi
fail "cannot be unpacked:$reasons
Make SIZE MB free in one of these, on a file system that is not mounted noexec. The processor must be MACHINE."
}
