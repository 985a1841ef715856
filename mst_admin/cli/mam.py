"""`mst-admin mam`: the tunnel for apps on devices that are not enrolled."""

from mst_admin import mam_tunnels
from mst_admin.cli.file_objects import FileObjectCommands

mam_app = FileObjectCommands(
    program="mst-admin mam",
    one="tunnel for MAM",
    many="tunnels for MAM",
    work=lambda: mam_tunnels.MAM,
).app()
