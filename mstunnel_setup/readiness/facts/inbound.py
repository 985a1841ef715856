"""Inbound probes: one side listens on the gateway's port, the other side sends, over TCP and over UDP.

A probe is one line with a nonce, the answer the same line with another word: no more goes out than came in.
"""

import re
import secrets
import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Literal

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.endpoint import resolve
from mstunnel_setup.io.network import served_leaf
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


@dataclass
class _Seen:
    """Whom probes came from, in order, each once."""

    tcp: dict[str, None] = field(default_factory=dict)
    udp: dict[str, None] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return bool(self.tcp and self.udp)


def listen(
    port: int, expected: str, clock: Clock, seconds: float, ready: Callable[[int], None] = lambda _port: None
) -> InboundFacts:
    """Wait until both a TCP and a UDP probe came from elsewhere, for at most `seconds`.

    `expected` is a name or an address; in the answer, that of its addresses from which a probe came, if any.
    `ready` is called with the port once both sockets listen. A probe from this host itself proves nothing and
    does not count, unless `expected` names such an address.
    """
    seen, known = _Seen(), _addresses(expected)
    try:
        with _sockets(port) as (tcp, udp):
            ready(tcp.getsockname()[1])
            end = clock.monotonic() + seconds
            _serve((tcp, udp), seen, known, lambda: clock.monotonic() < end)
    except OSError as error:
        reason = text("port {port} cannot be listened on: {error}", port=port, error=error.strerror or error)
        return InboundFacts(role="listen", error=reason, expected=expected)
    came = next((source for source in (*seen.tcp, *seen.udp) if source in known), expected)
    return InboundFacts(role="listen", expected=came, tcp=tuple(seen.tcp), udp=tuple(seen.udp))


def _addresses(host: str) -> frozenset[str]:
    """The addresses of a host, as people write them; what is not known to DNS is taken for itself."""
    try:
        return frozenset(_plain(address) for address in resolve(host, 0))
    except NetworkError:
        return frozenset({host})


def probe(host: str, port: int, clock: Clock, seconds: float) -> InboundFacts:
    """Probe a listener, or see whether a gateway answers with TLS."""
    nonce = secrets.token_hex(16).encode()
    target = f"{host}:{port}"
    end = clock.monotonic() + seconds
    answered = _probe_tcp(host, port, nonce, end, clock)
    gateway = False
    if not answered:
        answered = _tls_answers(host, port, max(0.1, min(_ANSWER_SECONDS, end - clock.monotonic())))
        gateway = bool(answered)
    udp = _probe_udp(host, port, nonce, end, clock)
    return InboundFacts(role="probe", expected=target, gateway=gateway, tcp=answered, udp=udp)


def answer(message: bytes) -> bytes | None:
    """The answer to a probe; None for anything else."""
    match = _PROBE.fullmatch(message)
    return b"mst-readiness reply " + match[1] + b"\n" if match else None


@contextmanager
def _sockets(port: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP and a UDP socket on the same port, for both families where the host has them."""
    with ExitStack() as stack:
        family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
        tcp = stack.enter_context(_bound(family, socket.SOCK_STREAM, port))
        tcp.listen()
        udp = stack.enter_context(_bound(family, socket.SOCK_DGRAM, tcp.getsockname()[1]))
        yield tcp, udp


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


def _serve(
    sockets: tuple[socket.socket, socket.socket],
    seen: _Seen,
    known: frozenset[str],
    in_time: Callable[[], bool],
) -> None:
    tcp, udp = sockets
    with selectors.DefaultSelector() as selector, ExitStack() as connections:
        selector.register(tcp, selectors.EVENT_READ)
        selector.register(udp, selectors.EVENT_READ)
        while not seen.complete and in_time():
            for key, _ in selector.select(_TICK):
                ready = key.fileobj
                if ready is tcp:
                    connection = connections.enter_context(tcp.accept()[0])
                    connection.settimeout(0)
                    selector.register(connection, selectors.EVENT_READ)
                elif ready is udp:
                    _answer_datagram(udp, seen, known)
                elif isinstance(ready, socket.socket):
                    selector.unregister(ready)
                    _answer_connection(ready, seen, known)


def _answer_datagram(udp: socket.socket, seen: _Seen, known: frozenset[str]) -> None:
    try:
        message, source = udp.recvfrom(_LONGEST)
        reply = answer(message)
        if reply is not None:
            udp.sendto(reply, source)
            _count(seen.udp, _plain(source[0]), known)
    except OSError:
        # A datagram that vanished, or a sender that cannot be answered, proves nothing.
        return


def _answer_connection(connection: socket.socket, seen: _Seen, known: frozenset[str]) -> None:
    try:
        source = _plain(connection.getpeername()[0])
        reply = answer(connection.recv(_LONGEST))
        if reply is not None:
            connection.sendall(reply)
            _count(seen.tcp, source, known)
    except OSError:
        # A scanner that hangs up proves nothing.
        return
    finally:
        connection.close()


def _count(found: dict[str, None], source: str, known: frozenset[str]) -> None:
    if source in known or not _is_own(source):
        found[source] = None


def _is_own(address: str) -> bool:
    """Whether an address is this host's: the kernel then reaches it from that very address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as there:
            there.connect((address, 9))
            return _plain(str(there.getsockname()[0])) == address
    except OSError:
        return False


def _plain(address: str) -> str:
    """An address as people write it: IPv4 seen through an IPv6 socket, and no zone."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def _probe_tcp(host: str, port: int, nonce: bytes, end: float, clock: Clock) -> tuple[str, ...]:
    left = max(0.1, end - clock.monotonic())
    try:
        with socket.create_connection((host, port), left) as connection:
            connection.settimeout(min(_ANSWER_SECONDS, left))
            connection.sendall(b"mst-readiness probe " + nonce + b"\n")
            return _answered(connection.recv(_LONGEST), nonce, connection.getpeername()[0])
    except OSError:
        return ()


def _probe_udp(host: str, port: int, nonce: bytes, end: float, clock: Clock) -> tuple[str, ...]:
    """UDP may lose a datagram, so there are some tries."""
    for _ in range(_UDP_TRIES):
        left = end - clock.monotonic()
        found = _probe_udp_once(host, port, nonce, min(_ANSWER_SECONDS, left)) if left > 0 else ()
        if found:
            return found
    return ()


def _probe_udp_once(host: str, port: int, nonce: bytes, seconds: float) -> tuple[str, ...]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sender:
            sender.settimeout(seconds)
            sender.connect(address)
            sender.send(b"mst-readiness probe " + nonce + b"\n")
            return _answered(sender.recv(_LONGEST), nonce, str(address[0]))
    except OSError:
        return ()


def _answered(message: bytes, nonce: bytes, source: str) -> tuple[str, ...]:
    return (_plain(source),) if message == b"mst-readiness reply " + nonce + b"\n" else ()


def _tls_answers(host: str, port: int, seconds: float) -> tuple[str, ...]:
    try:
        served_leaf(host, port, timeout=seconds)
    except NetworkError:
        return ()
    return (host,)
