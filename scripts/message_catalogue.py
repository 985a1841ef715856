"""The journal's catalogue (https://systemd.io/CATALOG/), made of what is declared."""

from typing import Any

from mstunnel_setup.base import rendering
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.log_line import LogLine, message_id
from scripts.error_codes import Item, declarations

# What only commands of an administrator's own computer report, which nothing writes into a journal.
_ELSEWHERE = ("mst_admin.", "mstunnel_lab.", "mstunnel_setup.cli.")
_NOTHING = "Nothing needs to be done."
_HINT = "@MSTUNNEL_HINT@"


def text() -> str:
    """The catalogue: an entry for each line and each error of agent and monitor, by code."""
    items = {
        item.code: item
        for name, item in declarations().items()
        if isinstance(item.example(), LogLine)
        or (isinstance(item.example(), SetupError) and not name.startswith(_ELSEWHERE))
    }
    entries = [_entry(items[code]) for code in sorted(items)]
    return rendering.render("journal/mstunnel.catalog", entries=entries)


def _entry(item: Item) -> dict[str, str]:
    """The texts; a hint with its own values is that of the entry that is explained."""
    made: Any = item.example()
    advice = _HINT if "{" in item.hint else " ".join(item.hint.split())
    return {
        "id": message_id(item.code),
        "code": item.code,
        "subject": " ".join(f"{item.code}: {made.message.splitlines()[0]}".split()),
        "advice": advice or _NOTHING,
        "page": item.docs,
    }
