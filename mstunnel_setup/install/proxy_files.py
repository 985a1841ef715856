"""The texts of the places that name a proxy: shell files and drop-ins. What else is in them stays."""

import re
from collections.abc import Mapping

from mstunnel_setup.base import rendering
from mstunnel_setup.gateway import env_file
from mstunnel_setup.readiness.parse import assignments, unit_environment


def shell(present: str, wanted: Mapping[str, str], *, export: bool) -> str:
    """The shell file with these assignments at its end, unless it assigns the very same already.

    Raises EnvironmentFileError for a value that no shell file can hold.
    """
    known = assignments(present)
    if all(known.get(name) == value for name, value in wanted.items()):
        return present
    names = "|".join(map(re.escape, wanted))
    ours = re.compile(rf"\s*(export\s+)?({names})=.*")
    kept = [line for line in present.splitlines() if not ours.fullmatch(line)]
    added = rendering.render("proxy/http_proxy.sh", settings=env_file.checked(wanted), export=export)
    return "".join(f"{line}\n" for line in kept) + added


def unit_says(present: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether the drop-ins of a unit (text by path), read in order, give it these variables."""
    seen: dict[str, str] = {}
    for path in sorted(present):
        seen |= unit_environment(present[path])
    return all(seen.get(name) == value for name, value in wanted.items())


def unit(present: str, wanted: Mapping[str, str]) -> str:
    """The drop-in with these variables at its end; of two lines for one variable the later one counts."""
    names = set(wanted)
    kept = [line for line in present.splitlines() if not _only_about(line, names)]
    sections = [line.strip() for line in kept if line.strip().startswith("[")]
    begun = sections[-1:] == ["[Service]"]
    added = rendering.render("proxy/http-proxy.conf", settings=wanted, begun=begun)
    return "".join(f"{line}\n" for line in kept) + added


def _only_about(line: str, names: set[str]) -> bool:
    found = unit_environment(line)
    return bool(found) and set(found) <= names
