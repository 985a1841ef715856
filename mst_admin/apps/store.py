"""The apps of a tenant by their ids in the stores."""

from collections.abc import Iterable
from typing import Final

from mstunnel_setup.tenant.wire_apps import PLAY_APP, MobileApp

IOS_APP: Final = "#microsoft.graph.iosStoreApp"
IOS_APPS: Final = frozenset({IOS_APP, "#microsoft.graph.iosVppApp"})


def app_ids(apps: Iterable[MobileApp], name: str, *, is_ios: bool) -> list[str]:
    """The ids in the tenant of the app with this package or bundle id; iOS may have it from two stores."""
    types = IOS_APPS if is_ios else {PLAY_APP}
    return [
        app.id for app in apps if app.odata_type in types and app.identifier.casefold() == name.casefold()
    ]
