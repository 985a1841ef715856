"""Who publishes a release: what `packaging/publisher.toml` says, or an environment variable of the same name.

`python -m scripts.release.publisher [SUMS]` ends with an error unless all of it is known and the READMEs of
the current directory name its page, and for a file SUMS unless the signature beside it was made with the
publisher's key.
`python -m scripts.release.publisher --fill` writes the page into these READMEs.
"""

import base64
import binascii
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from scripts import ROOT

FILE = ROOT / "packaging/publisher.toml"
_FORMS = {"homepage": r"https://\S+", "maintainer": r"[^<>]+ <[^<>@\s]+@[^<>@\s]+>"}
READMES = tuple(map(Path, ("README.md", "README.ja.md")))
"""They have a line that fetches `install.sh`, from `HOMEPAGE` until there is a publisher."""
_FETCH = re.compile(r"curl -fLO (\S+)/releases/latest/download/install\.sh")
# Algorithm, identifier and key.
_ALGORITHM, _BYTES = b"Ed", 2 + 8 + 32


def publisher() -> dict[str, str]:
    """`homepage`, `maintainer` and `public_key`; empty where nobody has said it."""
    known: dict[str, str] = tomllib.loads(FILE.read_text())
    return {name: os.environ.get(name.upper()) or value for name, value in known.items()}


def problems(given: dict[str, str]) -> list[str]:
    """What is missing or has a wrong form, a line each."""
    wrong = [name for name, form in _FORMS.items() if not re.fullmatch(form, given[name])]
    wrong += [] if _is_key(given["public_key"]) else ["public_key"]
    return [f"{name}: {given[name]!r}" if given[name] else f"{name} is not set" for name in wrong]


def _is_key(text: str) -> bool:
    """Whether it is a public key of minisign(1)."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return len(content) == _BYTES and content.startswith(_ALGORITHM)


def unfilled(page: str) -> list[str]:
    """What the READMEs name instead of the publisher's page, a line each."""
    named = {path: _FETCH.findall(path.read_text()) for path in READMES}
    return [f"{path} fetches install.sh from {found}" for path, found in named.items() if found != [page]]


def fill(page: str) -> None:
    """Write the publisher's page into the READMEs."""
    line = f"curl -fLO {page}/releases/latest/download/install.sh"
    for path in READMES:
        path.write_text(_FETCH.sub(lambda _found: line, path.read_text()))


def main(*arguments: str) -> None:
    """Check the publisher, and the signature over a file of checksums."""
    given = publisher()
    page = given["homepage"].rstrip("/")
    found = problems(given)
    if arguments == ("--fill",) and not found:
        fill(page)
        return
    if not found and (wrong := unfilled(page)):
        listed = "".join(f"  {line}\n" for line in wrong)
        sys.exit(f"publisher: run `python3 -m scripts.release.publisher --fill` and commit:\n{listed}")
    if found:
        listed = "".join(f"  {line}\n" for line in found)
        sys.exit(f"publisher: complete {FILE.relative_to(ROOT)}, or set the variables:\n{listed}")
    for each in map(Path, arguments):
        installer = each.with_name("install.sh")
        if not installer.is_file() or f"'{given['public_key']}'" not in installer.read_text():
            sys.exit(f"publisher: {installer} lacks the publisher's key: run `make packages` again")
        command = ["minisign", "-V", "-q", "-P", given["public_key"], "-m", str(each)]
        if subprocess.run(command, check=False, timeout=60).returncode:
            sys.exit(f"publisher: {each} is signed with another key than that of the publisher")


if __name__ == "__main__":
    main(*sys.argv[1:])
