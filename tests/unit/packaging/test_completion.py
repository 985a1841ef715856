"""Completions that start no program at a key press: the same words in bash, zsh and fish."""

import os
import re
import resource
import subprocess
from pathlib import Path

import pexpect
import pytest

from mstunnel_setup.gateway.occtl import SHOW_COMMANDS
from scripts.docs import completion
from scripts.docs.command_tree import program

FILE = "FILE"
# What is typed, and the words that are offered; FILE stands for the names of files.
OFFERED = {
    "mst-cli ce": {"cert"},
    "mst-cli cert ": {"show", "check", "repair", "hook"},
    "mst-cli cert sh": {"show"},
    "mst-cli --verbose cert re": {"repair"},
    "mst-cli --root /srv cert re": {"repair"},
    "mst-cli cert show --out": {"--output"},
    "mst-cli cert show --output ": {"text", "json"},
    "mst-cli cert show --output j": {"json"},
    "mst-cli cert show --answers ": {FILE},
    "mst-cli cert --output json sh": {"show"},
    "mst-cli --output cert ": {command.name for command in program("mst-cli").commands},
    "mst-cli cert show --output=j": {"json"},
    "mst-cli reenroll --site-that-is-none ": set(),
    "mst-cli server show ": {query.words[0] for query in SHOW_COMMANDS},
    "mst-cli server show se": {"session", "sessions"},
    "mst-cli server show sessions ": {"all", "valid"},
    "mst-cli server show ip ban ": {"points"},
    "mst-cli server show user ": set(),
    "mst-cli server show users --out": {"--output"},
    "mst-admin site list --out": {"--output"},
    "mst-readiness --answ": {"--answers"},
    "mst-readiness explain tun": {"tun-device"},
    "mst-cli help ce": {"certificates"},
    "mst-cli log level ": {*"01234", "verbose", "normal"},
    "mst-cli env unset TRACE": {"TRACE_SESSIONS"},
    "mst-cli env set DEBUG": {"DEBUG_LEVEL"},
    "mst-cli import-cert --dry": {"--dry-run"},
    "mst-cli import": {"import_cert"},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The completions as the shells find them, and one file to offer."""
    place = tmp_path_factory.mktemp("completion")
    (place / FILE).touch()
    for name in ("mst-cli", "mst-admin", "mst-readiness"):
        tree = program(name)
        (place / f"{name}.bash").write_text(completion.bash(tree))
        (place / f"_{name}").write_text(completion.zsh(tree))
        (place / f"{name}.fish").write_text(completion.fish(tree))
    return place


BASH = """
compopt() { COMPREPLY+=(FILE); compopt_given=1; }
source "$1"
read -ra COMP_WORDS <<<"${2//=/ = }"  # as readline splits it
[[ $2 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p "${COMP_WORDS[0]}")
function=${function#*-F } function=${function% *}
"$function"
[[ ! -v compopt_given ]] || COMPREPLY=(FILE)
printf '%s\\n' "${COMPREPLY[@]}"
"""


def in_bash(directory: Path, line: str, path: str = os.defpath) -> set[str]:
    script = directory / f"{line.split(maxsplit=1)[0]}.bash"
    command = ["/bin/bash", "--norc", "-c", BASH, "bash", str(script), line]
    finished = subprocess.run(
        command, env={"PATH": path}, capture_output=True, text=True, check=True, timeout=120
    )
    assert finished.stderr == ""
    return set(finished.stdout.split())


def in_fish(directory: Path, line: str) -> set[str]:
    script = 'source "$argv[1]"; complete --do-complete "$argv[2]"'
    command = [
        "fish",
        "--no-config",
        "-c",
        script,
        str(directory / f"{line.split(maxsplit=1)[0]}.fish"),
        line,
    ]
    finished = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, timeout=120)
    assert finished.stderr == ""
    offered = {row.split("\t")[0].rpartition("=")[2] for row in finished.stdout.splitlines()}
    return {FILE} if FILE in offered else offered


@pytest.mark.parametrize("line", OFFERED)
def test_bash_offers_what_fits(line: str, directory: Path) -> None:
    assert in_bash(directory, line) == OFFERED[line]


@pytest.mark.parametrize("line", OFFERED)
def test_fish_offers_what_fits(line: str, directory: Path) -> None:
    assert in_fish(directory, line) == OFFERED[line]


ZSH = """
PS1= RPS1= fpath=($PWD $fpath)
autoload -U compinit && compinit -D -u
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "$@"
    offered+=($hits)
}
show() {
    offered=()
    _main_complete
    print -r -- "<<${offered}>>"
    BUFFER= compstate[insert]= compstate[list]=
}
zle -C show list-choices show
bindkey '^T' show
print ready
"""


@pytest.fixture(scope="module")
def zsh(directory: Path) -> "pexpect.spawn[str]":
    """An interactive shell that prints what it would offer when Control-T is pressed."""
    (directory / "setup").write_text(ZSH)
    shell = pexpect.spawn(
        "zsh",
        ["-f", "-i"],
        cwd=str(directory),
        encoding="utf-8",
        env={"TERM": "dumb", "PATH": os.defpath},
        timeout=120,
    )
    shell.sendline("source ./setup")
    shell.expect("ready\r\n")
    return shell


@pytest.mark.parametrize("line", OFFERED)
def test_zsh_offers_what_fits(line: str, zsh: "pexpect.spawn[str]") -> None:
    zsh.send(f"{line}\x14")
    zsh.expect("<<(.*)>>")
    assert isinstance(zsh.match, re.Match)
    found = set(zsh.match[1].split())
    zsh.send("\x15")
    assert ({FILE} if FILE in found else found) == OFFERED[line]


def test_a_completion_starts_no_program(directory: Path) -> None:
    assert in_bash(directory, "mst-cli cert sh", path="/nonexistent") == {"show"}


def test_every_completion_is_quick(directory: Path) -> None:
    """Less than the start of an interpreter: the shell itself, source and function included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(10):
        in_bash(directory, "mst-cli cert sh")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 10 < 0.05
