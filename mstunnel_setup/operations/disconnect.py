"""`mst-cli server disconnect user|id`, `server unban ip`: occtl's commands of the same words."""

import ipaddress
from typing import Literal

from mstunnel_setup import paths
from mstunnel_setup.gateway.occtl import judge_word
from mstunnel_setup.install.session import open_gateway
from mstunnel_setup.operations.errors import ADDRESS_INVALID, OCCTL_FAILED
from mstunnel_setup.operations.sessions import server_process
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result
from mstunnel_setup.text import printable

_SECONDS = 20.0


def disconnect(operator: Operator, kind: Literal["user", "id"], value: str) -> Result:
    """End the sessions of a user, or one by its number. Nothing of that name: unchanged."""
    judge_word("NAME" if kind == "user" else "ID", value)
    ended = _ask(operator, "disconnect", kind, value)
    if not ended:
        return Result("unchanged", {"ended": None}, text=[f"There is no connected {kind} {value}."])
    return Result("changed", {"ended": {kind: value}}, text=[f"Disconnected {kind} {value}."])


def unban(operator: Operator, address: str) -> Result:
    """Let an address in again. Raises UsageError for what is no address."""
    try:
        plain = str(ipaddress.ip_address(address))
    except ValueError as error:
        raise ADDRESS_INVALID(address=address) from error
    if not _ask(operator, "unban", "ip", plain):
        return Result("unchanged", {"address": plain}, text=[f"{plain} is not banned."])
    return Result("changed", {"address": plain}, text=[f"{plain} may connect again."])


def _ask(operator: Operator, *words: str) -> bool:
    """Whether occtl did it; it ends with 1 and says what it could not when there is nothing of that name."""
    with open_gateway(operator) as ports:
        server_process(ports)
        finished = ports.engine.execute(paths.SERVER, ["occtl", "--no-pager", *words], _SECONDS)
    if finished.code == 0:
        return True
    if finished.output.startswith(f"could not {words[0]} "):
        return False
    reason = printable(finished.error or finished.output).strip() or f"exit code {finished.code}"
    raise OCCTL_FAILED(reason=reason)
