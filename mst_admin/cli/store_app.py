"""`mst-admin app`: the apps of the tenant."""

from typing import TYPE_CHECKING

from mst_admin.cli.file_objects import FileObjectCommands
from mstunnel_setup.base.lazy import LazyModule

if TYPE_CHECKING:
    from mst_admin import store_apps
else:
    store_apps = LazyModule("mst_admin.store_apps")

store_app_app = FileObjectCommands(
    program="mst-admin app", one="app", many="apps", work=lambda: store_apps.APPS
).app()
