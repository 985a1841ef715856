#!/bin/sh
# The beginning of dist/mstunnel-setup; the program follows as an archive that Python runs. Finds a Python that can,
# and says where the archive may unpack itself: beside nothing that other users may write to.
name="${0##*/}"

suitable() {
    "$1" -I -S -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

# What to type, in the words of this system: its own Python when there is none, a newer one beside one too old.
install_python() {
    # shellcheck source=/dev/null
    [ ! -r /etc/os-release ] || . /etc/os-release
    case " ${ID:-} ${ID_LIKE:-} " in
    *" debian "* | *" ubuntu "*)
        if command -v python3 >/dev/null; then echo 'apt install python3.11'; else echo 'apt install python3'; fi
        ;;
    *" rhel "* | *" fedora "*) echo 'dnf install python3.12' ;;
    *" suse "* | *" opensuse "* | *" sles "*) echo 'zypper install python311' ;;
    *) echo 'the package manager of this system' ;;
    esac
}

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if suitable "$candidate"; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    echo "$name: needs Python 3.11, 3.12, 3.13 or 3.14: install it with $(install_python), then run this again" >&2
    exit 3
fi

PEX_ROOT=/var/cache/mstunnel-setup
[ "$(id -u)" = 0 ] || PEX_ROOT="${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/mstunnel-setup"
PEX_IGNORE_RCFILES=1
PEX_EMIT_WARNINGS=0
MSTUNNEL_CALLED_AS="$0"
export PEX_ROOT PEX_IGNORE_RCFILES PEX_EMIT_WARNINGS MSTUNNEL_CALLED_AS
# Where it may not write there, pex takes a temporary folder instead, and would say so at every start.
exec "$python" -I -W ignore "$0" "$@"
