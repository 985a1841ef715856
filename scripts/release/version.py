"""`python -m scripts.release.version VERSION`: set the version of program, collection and chart.

`mstunnel_setup/__init__.py` has it for everything that is built; what Galaxy and Helm read as it is in
the repository repeats it. Between releases it is that of the next one with `.dev0`.
"""

import re
import sys

from mstunnel_setup import __version__
from scripts import ROOT

_FORM = re.compile(r"(\d+\.\d+\.\d+)(?:\.(dev\d+)|((?:a|b|rc)\d+))?")
_PROGRAM = "mstunnel_setup/__init__.py"
_COLLECTION = "ansible/galaxy.yml"
_CHART = "contrib/helm/mstunnel/Chart.yaml"


def semantic(version: str = __version__) -> str:
    """A version as Semantic Versioning, Debian and RPM order it before its release: `0.3.0-dev0`."""
    found = _FORM.fullmatch(version)
    if found is None:
        raise ValueError(f"{version} is not a version: give one such as 1.2.3, 1.2.3.dev0 or 1.2.3rc1")
    later = found[2] or found[3]
    return f"{found[1]}-{later}" if later else found[1]


def write(version: str) -> None:
    """Set it in every file that has it. Raises ValueError for what is not a version."""
    for name, before, line in (
        (_COLLECTION, r"version: .*", f"version: {semantic(version)}"),
        (_PROGRAM, r'__version__ = ".*"', f'__version__ = "{version}"'),
        (_CHART, r"version: .*", f"version: {semantic(version)}"),
        (_CHART, r"appVersion: .*", f"appVersion: {version}"),
    ):
        path = ROOT / name
        text, count = re.subn(f"^{before}$", line, path.read_text(), flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"{name} has {count} lines with a version")
        path.write_text(text)


if __name__ == "__main__":
    try:
        write("".join(sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"version: {error}")
