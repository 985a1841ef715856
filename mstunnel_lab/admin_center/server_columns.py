"""The columns that all lists of servers have."""

from mstunnel_lab import tunnel
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.records import ServerRecord, SiteRecord
from mstunnel_lab.state import Lab


def server_columns(lab: Lab) -> tuple[Column[ServerRecord], ...]:
    """Return name, site, health status and last check-in."""

    def site(item: ServerRecord) -> str:
        found = lab.store.get(SiteRecord, item.site_id)
        return found.display_name if found else ""

    def seen(item: ServerRecord) -> str:
        moment = item.last_checkin_date_time
        return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "never"

    return (
        Column("name", "Name", lambda item: item.display_name),
        Column("site", "Site", site),
        Column("status", "Health status", lambda item: tunnel.status_of(lab, item).value, "status"),
        Column("seen", "Last check-in", seen, "word"),
    )
