"""What users and administrators feel, as the tables of docs/explanation/performance.md."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from scripts.docs.error_codes import with_tables
from tests.bench.plain_ocserv import TITLES

PAGE: Final = Path("docs/explanation/performance.md")
Figures = Mapping[str, Mapping[str, Any]]
"""What benchmarks returned, by their names."""


def write(figures: Figures, page: Path = PAGE) -> None:
    """Replace the tables of the page."""
    page.write_text(with_tables(page.read_text(), {"devices": devices(figures), "host": host(figures)}))


def devices(figures: Figures) -> str:
    """What the user of a device feels: the gateway beside `podman run` and ocserv on the host."""
    rows: list[Sequence[str]] = []
    if found := figures.get("data-plane"):
        megabits = found["megabits"]
        servers = {"gateway": "rootful", "podman-run": "podman-run", "host": "host"}
        rows += [
            [
                f"one device, {mode}",
                *(f"{megabits[key][mode]['median']:.0f} Mbit/s" for key in servers.values()),
            ]
            for mode in megabits["host"]
        ]
    if found := figures.get("connects"):
        rows.append(["beginning a session", *(_session(found["milliseconds"][name]) for name in TITLES)])
        rates = found["sessions_a_second"]["four at once"]
        rows.append(["sessions that begin in a second", *(f"{rates[name]['median']:.0f}" for name in TITLES)])
    if found := figures.get("interruption"):
        seconds = found["seconds"]
        rows.append(["without traffic, new certificate", _worst(seconds["certificate"]), "", ""])
        restart = _worst(seconds["podman restart"])
        rows.append(["without traffic, upgrade or restart", _worst(seconds["upgrade"]), restart, ""])
    if found := figures.get("sessions"):
        back = found["seconds_until_all_are_back"]
        cells = [f"{back[name]['least']:.0f} to {back[name]['most']:.0f} s" for name in back]
        rows.append([f"all {found['sessions']} devices back after a restart", *cells, ""])
    return markdown(("What users notice", *TITLES.values()), rows)


def host(figures: Figures) -> str:
    """What the administrator of a host feels."""
    return markdown(("What administrators notice", "Measured"), _of_host(figures))


def _of_host(figures: Figures) -> Iterator[Sequence[str]]:
    if found := figures.get("installation"):
        ours, plain = (found["seconds"][name] for name in ("mstunnel-setup", "plain-install"))
        text = f"{_median(ours, 's')}; a script without checks and rollback: {plain['median']:g} s"
        yield "an installation, with the images loaded", text
    if found := figures.get("commands"):
        times = found["milliseconds"]
        for name in (
            "mst-cli status",
            "mst-cli health",
            "mst-cli --help",
            "mstunnel-setup",
            "certbot certificates",
        ):
            what = f"`{name}`" + (" with nothing to do" if name == "mstunnel-setup" else "")
            yield what, _median(times[name], "ms")
    if found := figures.get("at-rest"):
        percents = [
            f"{services['system.slice']['percent_of_a_core']:.2f} %"
            for services in found["services"].values()
        ]
        yield (
            "all services of the host at rest, share of a core",
            f"{percents[0]}; with a device {percents[1]}",
        )
        memory = found["bars"][0]["measured"]
        yield "memory of agent and monitor", f"{memory:.0f} MiB"


def _median(times: Mapping[str, float], unit: str) -> str:
    return f"{times['median']:g} {unit}, nine of ten within {times['percentile_90']:g} {unit}"


def _session(times: Mapping[str, float]) -> str:
    shares = f"{100 * times['share_slow']:.0f} % over 40 ms"
    return f"{times['median']:.0f} ms, nine of ten within {times['percentile_90']:.0f} ms, {shares}"


def _worst(seconds: Mapping[str, float]) -> str:
    return f"{seconds['median']:g} s, worst {seconds['most']:g} s"
