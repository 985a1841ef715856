"""`mst-admin app-config`: settings that apps receive."""

from mst_admin import app_configurations
from mst_admin.cli.file_objects import FileObjectCommands

app_config_app = FileObjectCommands(
    program="mst-admin app-config",
    one="app configuration",
    many="app configurations",
    work=lambda: app_configurations.APP_CONFIGURATIONS,
).app()
