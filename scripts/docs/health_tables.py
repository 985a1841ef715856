"""The table of docs/reference/health.md: the rows of a server's health."""

from mstunnel_setup.exchange.health_rows import ROWS
from scripts.docs.error_codes import table


def tables() -> dict[str, str]:
    """Return the table by the name of its place."""
    head = ("Row", "Healthy", "Warning", "Unhealthy", "Source")
    rows = ((f"`{row.id}`", row.healthy, row.warning, row.unhealthy, row.source) for row in ROWS)
    return {"health-rows": table(head, rows)}
