"""`mst-admin app-config`: settings that apps receive."""

from typing import TYPE_CHECKING

from mst_admin.cli.file_objects import FileObjectCommands
from mstunnel_setup.base.lazy import LazyModule

if TYPE_CHECKING:
    from mst_admin import app_configurations
else:
    app_configurations = LazyModule("mst_admin.app_configurations")

app_config_app = FileObjectCommands(
    program="mst-admin app-config",
    one="app configuration",
    many="app configurations",
    work=lambda: app_configurations.APP_CONFIGURATIONS,
).app()
