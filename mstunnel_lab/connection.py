"""What `mstunnel-setup --lab` fetches: the lab's root certificate, and with its help the tenant's addresses.

Both are public. The root is compared with the fingerprint that `mstunnel-lab serve` prints.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mstunnel_lab.records import ApplicationRecord
from mstunnel_lab.state import Lab, Labs, labs_of

ROOT_PATH: Final = "/lab/ca.pem"
CONNECTION_PATH: Final = "/lab/connection"


def application_for(lab: Lab, use: str) -> str:
    """The client id of the application of the lab that is made for a use: `setup` or `device`."""
    return lab.store.each(ApplicationRecord, parent=use)[0].app_id


def command(labs: Labs) -> str:
    """The command that installs a gateway for the home tenant."""
    return f"sudo mstunnel-setup --lab {option(labs)}"


def option(labs: Labs) -> str:
    """The value of `--lab`: it leads to the home tenant."""
    return f"{labs.home.urls.base}#{labs.authority.fingerprint}"


async def _root(request: Request) -> Response:
    return FileResponse(labs_of(request).authority.certificate_path, media_type="application/x-pem-file")


async def _connection(request: Request) -> Response:
    home = labs_of(request).home
    return JSONResponse(
        {
            "authority": home.urls.authority,
            "graph": home.urls.graph,
            "client_id": application_for(home, "setup"),
        }
    )


ROUTES = (Route(ROOT_PATH, _root), Route(CONNECTION_PATH, _connection))
