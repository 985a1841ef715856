"""`mst-admin app-config`: settings that apps receive."""

from typing import TYPE_CHECKING

from mstunnel_setup.cli.admin.file_objects import FileObjectCommands
from mstunnel_setup.lazy import LazyModule

if TYPE_CHECKING:
    from mstunnel_setup.admin import app_configurations
else:
    app_configurations = LazyModule("admin.app_configurations")

app_config_app = FileObjectCommands(
    program="mst-admin app-config",
    one="app configuration",
    many="app configurations",
    work=lambda: app_configurations.APP_CONFIGURATIONS,
).app()
