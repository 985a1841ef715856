"""The tables of distributions and addresses, from `platforms.toml` and `endpoints.toml`."""

from collections.abc import Iterator, Sequence

from packaging.version import Version

from mstunnel_setup.readiness.data import Endpoint, Platform, endpoints, platforms
from scripts.docs.error_codes import table

_DISTRIBUTIONS = {"rhel": "Red Hat Enterprise Linux", "ubuntu": "Ubuntu", "debian": "Debian"}


def tables() -> dict[str, str]:
    """The tables by the names of their places."""
    head = ("Distribution", "Engine", "With root", "Without root", "Support by Microsoft")
    current = [row for row in platforms().platform if row.ended is None and row.last_listed is None]
    tested = (
        (engine.capitalize(), run.version, run.distribution, run.kernel, str(run.date))
        for engine, known in platforms().engines.items()
        for run in known.runs
    )
    names = ("Name", "What for", *(f"`{cloud}`" for cloud in endpoints().clouds))
    return {
        "platforms": table(head, map(_platform, current)),
        "tested-engines": table(("Engine", "Version", "Distribution", "Kernel", "Date"), tested),
        "endpoints": table(names, _names()),
    }


def _platform(row: Platform) -> Sequence[str]:
    known = platforms().engines[row.engine]
    engine = f"{row.engine.capitalize()} {row.shipped}".strip()
    rooted, rootless = f"{row.engine.capitalize()} {known.least} or later", "no"
    if known.least_rootless:
        rootless = f"{row.engine.capitalize()} {known.least_rootless} or later"
    if row.shipped and Version(row.shipped) >= Version(known.least):
        rooted = "yes"
    if row.shipped and known.least_rootless and Version(row.shipped) >= Version(known.least_rootless):
        rootless = "yes"
    name = f"{_DISTRIBUTIONS[row.distribution]} {row.version}"
    return name, engine, rooted, rootless, "yes" if row.vendor else "no"


def _names() -> Iterator[Sequence[str]]:
    """A row for each name, in the order of the purposes; its cells say which clouds need it."""
    found = endpoints()
    for purpose, title in found.purposes.items():
        needed = {
            cloud: {name for each in listed if each.purpose == purpose for name in _forms(each)}
            for cloud, listed in found.clouds.items()
        }
        for name in sorted(set().union(*needed.values())):
            yield f"`{name}`", title, *("yes" if name in names else "" for names in needed.values())


def _forms(endpoint: Endpoint) -> Iterator[str]:
    """The pattern covers the host where it is above it."""
    covered = endpoint.pattern.startswith("*.") and endpoint.host.endswith(endpoint.pattern[1:])
    if endpoint.host and not covered:
        yield endpoint.host
    if endpoint.pattern:
        yield endpoint.pattern
