"""`mst-admin mam`: the tunnel for apps on devices that are not enrolled."""

from typing import TYPE_CHECKING

from mst_admin.cli.file_objects import FileObjectCommands
from mstunnel_setup.base.lazy import LazyModule

if TYPE_CHECKING:
    from mst_admin import mam_tunnels
else:
    mam_tunnels = LazyModule("mst_admin.mam_tunnels")

mam_app = FileObjectCommands(
    program="mst-admin mam",
    one="tunnel for MAM",
    many="tunnels for MAM",
    work=lambda: mam_tunnels.MAM,
).app()
