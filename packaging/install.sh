#!/bin/sh
# Downloads mstunnel-setup VERSION for this machine into the current directory and verifies it. It runs nothing that it
# downloads, changes nothing else, and does not need root. Read it first:
#
#   curl -fLO ADDRESS/install.sh
#   less install.sh
#   sh install.sh [--images] [--key FILE]
#
# --images    also download the archive of the images, for a server without a registry
# --key FILE  the minisign public key of the release's signature; by default the key below, if there is one
set -eu
from='ADDRESS'
key='PUBLIC_KEY'

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

fetch() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --output "$1" "$from/$1"
    else
        wget --quiet --output-document="$1" "$from/$1"
    fi || fail "cannot download $from/$1"
}

# Compare a file with its line in the checksums of the release.
check() {
    grep "^[0-9a-f]\{64\}  $1\$" SHA256SUMS >sum || fail "the checksums of the release do not list $1"
    sha256sum -c sum >/dev/null 2>&1 || fail "$1 has a wrong checksum: it is damaged, or is not the released file"
}

images=no required=no
while [ $# -gt 0 ]; do
    case "$1" in
    --images) images=yes ;;
    --key)
        [ -r "${2:-}" ] || fail "--key: give the file with the public key"
        key="$(grep '[^[:space:]]' "$2" | tail -n 1)" required=yes
        [ -n "$key" ] || fail "--key: $2 has no public key: give the file with the public key"
        shift
        ;;
    *) fail "unknown option $1: give --images or --key FILE" ;;
    esac
    shift
done

case "$(uname -s) $(uname -m)" in
"Linux x86_64") architecture=amd64 program=mstunnel-setup ;;
"Linux aarch64") architecture=arm64 program=mstunnel-setup-arm64 ;;
*) fail "no program for $(uname -s) on $(uname -m): use Linux on x86_64 or aarch64" ;;
esac

# Refuse what is in the place of the file $1, unless it is a regular file of this user.
refuse_present() {
    if [ -L "$1" ] || { [ -e "$1" ] && { [ ! -f "$1" ] || [ ! -O "$1" ]; }; }; then
        fail "$1 is not a regular file of this user: remove it, or use another directory"
    fi
}

# Move the file $1 to $2. -T never moves it into a directory, or through a link to one; every mv that is here has it.
place() {
    refuse_present "$2"
    mv -f -T "$1" "$2" || fail "cannot write $2"
}

here="$(pwd -P)"
# Other users could replace the program. In a directory with the sticky bit, such as /tmp, only the owner of a file can.
set -- /
above="$here"
while [ -n "$above" ]; do
    set -- "$@" "$above"
    above="${above%/*}"
done
changeable="$(find "$@" -prune \( ! -user 0 ! -user "$(id -u)" -o \
    ! -perm -1000 \( -perm -0002 -o -perm -0020 ! -group "$(id -g)" \) \))"
[ -z "$changeable" ] || fail "other users can change $changeable: use a directory of your own"
refuse_present "$here/mstunnel-setup"
work="$(mktemp -d "$here/.mstunnel-setup.XXXXXX")"
trap 'rm -rf "$work"' EXIT
# dash runs the trap of EXIT for no signal.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$work"

fetch SHA256SUMS
checked='the checksum in the release'
if [ -n "$key" ] && { [ $required = yes ] || command -v minisign >/dev/null; }; then
    command -v minisign >/dev/null || fail "minisign is not installed: install it to check the signature"
    fetch SHA256SUMS.minisig
    minisign -V -q -P "$key" -m SHA256SUMS || fail "the release is not signed with the key $key"
    checked="the signature with the key $key"
fi
# An older release has a signature, too.
grep -q -F "  mstunnel-setup-VERSION-$architecture.cdx.json" SHA256SUMS ||
    fail "the checksums of the release are not those of version VERSION: do not use it"

fetch "$program"
check "$program"
chmod 0755 "$program"
if [ $images = yes ]; then
    archive="mstunnel-images-VERSION-$architecture.tar"
    fetch "$archive"
    check "$archive"
    place "$archive" "$here/$archive"
fi
place "$program" "$here/mstunnel-setup"
echo "mstunnel-setup VERSION is in this directory, verified against $checked. Install with: sudo ./mstunnel-setup"
