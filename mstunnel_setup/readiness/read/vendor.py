"""Signs of Microsoft's own gateway, from files and container engines."""

from mstunnel_setup.containers.vendor import vendor_containers
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness.facts import VendorFacts
from mstunnel_setup.readiness.vendor_programs import vendor_programs, vendor_units


def vendor(files: Files, processes: Processes) -> VendorFacts:
    """What of it is here. Only the engines of the running host are asked; elsewhere files alone count."""
    containers = vendor_containers(processes) if files.live else ()
    return VendorFacts(
        programs=vendor_programs(files),
        units=vendor_units(files),
        containers=tuple(f"{item.engine} {item.name}" for item in containers),
    )
