"""Whether the gateway reaches the internal address of its site, by its own account."""

from datetime import datetime
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.exchange.gateway_report import LATEST_PROBE, Probe, read_report
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.steps import verify
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files

# It tries within five seconds of its start, gives up after twenty, and reports every fifteen.
_PATIENCE: Final = 60.0


def reached_address(files: Files, now: datetime) -> str:
    """The address that the host has the gateway try, if it reached it lately; else empty.

    Neither another address of the report nor something else in its place counts: a gateway that was taken
    over could prevent with it that a release is installed.
    """
    try:
        probe = _probe(files)
    except FileError:
        return ""
    if probe is None or not probe.reached or abs(now - probe.at) > LATEST_PROBE:
        return ""
    return probe.url if files.read(paths.PROBE_URL) == f"{probe.url}\n".encode() else ""


def reaches_inside(context: Context, url: str) -> None:
    """Return once the gateway that runs now has reached `url`. Raises NetworkError `inside-unreachable`."""
    verify.within_patience(context.ports.clock, lambda: _reached(context, url), _PATIENCE)


def _reached(context: Context, url: str) -> None:
    probe, state = _probe(context.ports.files), context.ports.engine.inspect(paths.SERVER)
    started = state.started_at if state is not None else None
    tried = probe is not None and started is not None and probe.at >= started.replace(microsecond=0)
    if probe is None or not tried:
        raise _unreachable(url, "it has not tried")
    # Another address is another question: the site was changed meanwhile.
    if probe.url == url and not probe.reached:
        raise _unreachable(url, probe.words)


def _probe(files: Files) -> Probe | None:
    report = read_report(files)
    return None if report is None else report.probe


def _unreachable(url: str, why: str) -> NetworkError:
    return NetworkError(
        "inside-unreachable",
        "the gateway cannot reach {url} any more: {why}",
        hint="Test it from this server; see the row internal-network of `mst-cli health`.",
        url=url,
        why=why,
    )
