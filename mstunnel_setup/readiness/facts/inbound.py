"""Inbound probes: one side listens on the gateway's port, the other side sends, over TCP and over UDP.

A probe is one line with a nonce, the answer the same line with another word: no more goes out than came in.
"""

import re
import secrets
import selectors
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Literal

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.network import resolve, served_leaf
from mstunnel_setup.readiness.facts.section import Section


class InboundFacts(Section):
    """Probes of the port. As listener: whom they came from (`expected`: who should); as prober: who answered.

    `gateway` tells a prober that TLS, not a listener of ours, answered. `error` says why none was awaited.
    """

    role: Literal["none", "listen", "probe"] = "none"
    error: str = ""
    expected: str = ""
    gateway: bool = False
    tcp: tuple[str, ...] = ()
    udp: tuple[str, ...] = ()


_PROBE = re.compile(rb"mst-readiness probe ([0-9a-f]{32})\n")
_LONGEST = 64
_TICK = 0.2
_ANSWER_SECONDS = 2.0
_UDP_TRIES = 3


def listen(
    port: int, expected: str, clock: Clock, seconds: float, ready: Callable[[int], None] = lambda _port: None
) -> InboundFacts:
    """Wait until both a TCP and a UDP probe came from elsewhere, for at most `seconds`.

    `expected` is a name or an address; in the answer, that of its addresses from which a probe came, if any.
    `ready` is called with the port once both sockets listen. A probe from this host itself proves nothing and
    does not count, unless `expected` names such an address.
    """
    try:
        known = frozenset(map(_plain, resolve(expected, 0)))
    except NetworkError:
        known = frozenset({expected})
    seen = _Seen(known)
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    try:
        # On the same port, for both families where the host has them.
        with (
            _bound(family, socket.SOCK_STREAM, port) as tcp,
            _bound(family, socket.SOCK_DGRAM, tcp.getsockname()[1]) as udp,
        ):
            tcp.listen()
            ready(tcp.getsockname()[1])
            end = clock.monotonic() + seconds
            seen.serve(tcp, udp, lambda: clock.monotonic() < end)
    except OSError as error:
        reason = text("port {port} cannot be listened on: {error}", port=port, error=error.strerror or error)
        return InboundFacts(role="listen", error=reason, expected=expected)
    came = next((source for source in (*seen.tcp, *seen.udp) if source in known), expected)
    return InboundFacts(role="listen", expected=came, tcp=tuple(seen.tcp), udp=tuple(seen.udp))


def _bound(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> socket.socket:
    made = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(("", port))
        made.settimeout(0)
    except OSError:
        made.close()
        raise
    return made


@dataclass
class _Seen:
    """Whom probes came from, in order, each once. Addresses of this host count only where `known`."""

    known: frozenset[str]
    tcp: dict[str, None] = field(default_factory=dict)
    udp: dict[str, None] = field(default_factory=dict)

    def serve(self, tcp: socket.socket, udp: socket.socket, in_time: Callable[[], bool]) -> None:
        """Answer probes until one came over each protocol."""
        with selectors.DefaultSelector() as selector, ExitStack() as connections:
            selector.register(tcp, selectors.EVENT_READ)
            selector.register(udp, selectors.EVENT_READ)
            while not (self.tcp and self.udp) and in_time():
                for key, _ in selector.select(_TICK):
                    ready = key.fileobj
                    if ready is tcp:
                        connection = connections.enter_context(tcp.accept()[0])
                        connection.settimeout(0)
                        selector.register(connection, selectors.EVENT_READ)
                    elif ready is udp:
                        self._answer_datagram(udp)
                    elif isinstance(ready, socket.socket):
                        selector.unregister(ready)
                        self._answer_connection(ready)

    def _answer_datagram(self, udp: socket.socket) -> None:
        # A datagram that vanished, or a sender that cannot be answered, proves nothing.
        with suppress(OSError):
            message, source = udp.recvfrom(_LONGEST)
            reply = answer(message)
            if reply is not None:
                udp.sendto(reply, source)
                self._count(self.udp, source[0])

    def _answer_connection(self, connection: socket.socket) -> None:
        # A scanner that hangs up proves nothing.
        with suppress(OSError), connection:
            source = connection.getpeername()[0]
            reply = answer(connection.recv(_LONGEST))
            if reply is not None:
                connection.sendall(reply)
                self._count(self.tcp, source)

    def _count(self, found: dict[str, None], source: str) -> None:
        address = _plain(source)
        own = False
        # The kernel reaches an address of this host from that very address.
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as there:
            there.connect((address, 9))
            own = _plain(str(there.getsockname()[0])) == address
        if address in self.known or not own:
            found[address] = None


def answer(message: bytes) -> bytes | None:
    """The answer to a probe; None for anything else."""
    match = _PROBE.fullmatch(message)
    return b"mst-readiness reply " + match[1] + b"\n" if match else None


def _plain(address: str) -> str:
    """An address as people write it: IPv4 seen through an IPv6 socket, and no zone."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def probe(host: str, port: int, clock: Clock, seconds: float) -> InboundFacts:
    """Probe a listener, or see whether a gateway answers with TLS."""
    nonce = secrets.token_hex(16).encode()
    begun = clock.monotonic()
    end = begun + seconds
    tcp: tuple[str, ...] = ()
    udp: tuple[str, ...] = ()
    gateway = False
    # First, and in half of the time: a firewall that drops TCP leaves none for what follows. UDP may lose a
    # datagram, so there are some tries.
    for _try in range(_UDP_TRIES):
        left = begun + seconds / 2 - clock.monotonic()
        if udp or left <= 0:
            break
        with suppress(OSError):
            family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as sender:
                sender.settimeout(min(_ANSWER_SECONDS, left))
                sender.connect(address)
                udp = _answered(sender, nonce)
    left = max(0.1, end - clock.monotonic())
    with suppress(OSError), socket.create_connection((host, port), left) as connection:
        connection.settimeout(min(_ANSWER_SECONDS, left))
        tcp = _answered(connection, nonce)
    if not tcp:
        with suppress(NetworkError):
            served_leaf(host, port, timeout=max(0.1, min(_ANSWER_SECONDS, end - clock.monotonic())))
            gateway, tcp = True, (host,)
    return InboundFacts(role="probe", expected=f"{host}:{port}", gateway=gateway, tcp=tcp, udp=udp)


def _answered(connection: socket.socket, nonce: bytes) -> tuple[str, ...]:
    """The address at the other end, if a listener is there."""
    connection.sendall(b"mst-readiness probe " + nonce + b"\n")
    answers = connection.recv(_LONGEST) == b"mst-readiness reply " + nonce + b"\n"
    return (_plain(connection.getpeername()[0]),) if answers else ()
