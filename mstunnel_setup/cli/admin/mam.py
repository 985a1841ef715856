"""`mst-admin mam`: the tunnel for apps on devices that are not enrolled."""

from typing import TYPE_CHECKING

from mstunnel_setup.cli.admin.file_objects import FileObjectCommands
from mstunnel_setup.lazy import LazyModule

if TYPE_CHECKING:
    from mstunnel_setup.admin import mam_tunnels
else:
    mam_tunnels = LazyModule("admin.mam_tunnels")

mam_app = FileObjectCommands(
    program="mst-admin mam",
    one="tunnel for MAM",
    many="tunnels for MAM",
    work=lambda: mam_tunnels.MAM,
).app()
