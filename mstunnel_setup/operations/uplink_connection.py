"""The running uplink: root connects the offered network namespace, the account's side configures its end."""

import sys
from typing import Final

from mstunnel_setup.actions import uplink
from mstunnel_setup.base.errors import GATEWAY_ACCOUNT_MISSING, SetupError, StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.io import accounts
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.namespaces import Offer, hand_over, offers, owner
from mstunnel_setup.io.process import Processes

_IDLE: Final = 60.0
# Root answers at most once a second, even if the account asks continually.
_PAUSE: Final = 1.0
_SECONDS: Final = 30.0
_ATTACHED: Final = "attached"
# Name of the device pair's end inside the container.
_INSIDE: Final = "eth0"


def serve(account: str, processes: Processes, clock: Clock) -> None:
    """Connect each network namespace that `account` offers, until a minute passes without an offer.

    Raises CheckError if there is no such account.
    """
    found = accounts.find(account)
    if found is None:
        raise GATEWAY_ACCOUNT_MISSING(account=account)
    for offer in offers(_IDLE):
        answer = refusal(offer, found.uid) or _connected(offer, processes)
        sys.stderr.write(f"{answer!s}\n")
        offer.answer(answer)
        clock.sleep(_PAUSE)


def refusal(offer: Offer, uid: int) -> str:
    """Return why root ignores an offer; "" for a network namespace of the account `uid`."""
    if offer.user != uid:
        return text("refused: user {user} is not user {uid}", user=offer.user, uid=uid)
    if offer.descriptor is None:
        return text("refused: no descriptor was sent")
    if owner(offer.descriptor) != uid:
        return text("refused: the descriptor is not a network namespace of user {uid}", uid=uid)
    return ""


def _connected(offer: Offer, processes: Processes) -> str:
    """Replace an earlier container's device pair; return the error, or that it is attached."""
    delete = ["ip", "link", "delete", uplink.DEVICE]
    pair = ["ip", "link", "add", uplink.DEVICE, "type", "veth", "peer", "name", _INSIDE]
    processes.run(delete, timeout=_SECONDS, check=False)
    try:
        processes.run([*pair, "netns", offer.path], timeout=_SECONDS)
        # The rules come first because the account may set its end up at any moment.
        processes.run(["nft", "--file", uplink.RULES], timeout=_SECONDS)
        _set_up(uplink.DEVICE, uplink_address.HOST_END, processes)
    except SetupError as error:
        processes.run(delete, timeout=_SECONDS, check=False)
        return text("failed: {message}", message=error.message)
    return _ATTACHED


def _set_up(device: str, address: str, processes: Processes, *more: str) -> None:
    """Give a device its address and set it up, without the IPv6 address that nothing would use."""
    commands = (
        f"link set {device} addrgenmode none",
        f"address add {address}/{uplink.NETWORK_BITS} dev {device}",
        f"link set {device} up",
        *more,
    )
    processes.run(["ip", "-batch", "-"], timeout=_SECONDS, stdin="\n".join(commands).encode())


def attach(port: int, processes: Processes) -> None:
    """Request the uplink in a starting container's network namespace, and configure this end.

    Raises StepError `uplink-refused`, ProcessError.
    """
    try:
        answer = hand_over(uplink_address.socket_of(port)) or text("no answer")
    except OSError as error:
        answer = error.strerror or str(error)
    if answer != _ATTACHED:
        raise StepError(
            "uplink-refused",
            "the host did not connect the gateway to the network: {reason}",
            hint="Run `sudo mstunnel-setup host`; see `journalctl --unit mstunnel-uplink`.",
            reason=answer,
        )
    _set_up(
        _INSIDE, uplink_address.GATEWAY_END, processes, f"route add default via {uplink_address.HOST_END}"
    )
