"""The table of docs/explanation/sizing.md: the vendor's sizes, and what was measured for many devices."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mstunnel_setup.readiness.data import Size
from scripts.docs.error_codes import table as markdown
from scripts.docs.error_codes import with_tables

PAGE: Final = Path("docs/explanation/sizing.md")
_HEADS: Final = (
    "Devices",
    "Servers and cores of each",
    "Mbit/s of a server",
    "for each of its devices",
    "Memory of its sessions",
    "Memory, says the vendor",
)


def write(figures: Mapping[str, Any], sizes: Sequence[Size], page: Path = PAGE) -> None:
    """Replace the table of the page."""
    page.write_text(with_tables(page.read_text(), {"sizing": table(figures, sizes)}))


def table(figures: Mapping[str, Any], sizes: Sequence[Size]) -> str:
    """A row for each size, from the figures of `many_sessions.py`.

    A server is taken to carry in proportion to its cores what the gateway carried here in the slower
    direction, on a machine whose cores it shared with the devices and the server behind it.
    """
    rates = [way["median"] for way in figures["megabits"]["gateway"].values()]
    megabits = min(rates) / figures["cores"]
    memory = figures["mebibytes_a_session"]
    return markdown(_HEADS, [_row(size, megabits, memory) for size in sizes])


def _row(size: Size, megabits: float, memory: float) -> Sequence[str]:
    """Of `megabits` of a core and `memory` of a session in MiB."""
    whole = megabits * size.cpus
    return (
        f"{size.devices:,}",
        f"{size.servers} with {size.cpus}",
        f"{whole:.0f}",
        f"{whole / size.share:.2f}",
        f"{size.share * memory / 1024:.1f} GiB",
        f"{size.memory_gb} GB",
    )
