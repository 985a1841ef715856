"""`mst-admin app`: the apps of the tenant."""

from mst_admin import store_apps
from mst_admin.cli.file_objects import FileObjectCommands

store_app_app = FileObjectCommands(
    program="mst-admin app", one="app", many="apps", work=lambda: store_apps.APPS
).app()
