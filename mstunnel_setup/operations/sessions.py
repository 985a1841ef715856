"""`mst-cli server show|disconnect|unban|capture`: device sessions, through ocserv's control program."""

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, JsonValue

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import printable, text, verbatim
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.gateway_host import GatewayHost
from mstunnel_setup.gateway import occtl
from mstunnel_setup.install.installed import open_gateway
from mstunnel_setup.io.namespaces import enter_network_of, interfaces, record
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed
from mstunnel_setup.io.safe_paths import kind_at, refuse_present

_SECONDS = 20.0


class OcctlReport(Report):
    """The output of occtl.

    For `show status` the report has its fields, for all other commands `rows`, which is empty if no user or
    connection matches.
    Each line of `show events` is printed separately before the envelope, as {"line": …}.
    """

    model_config = ConfigDict(extra="allow")

    rows: tuple[JsonValue, ...] = ()


class EndedSessions(Report):
    """The user or connection whose sessions were ended; `ended` is null if no session matched."""

    ended: dict[str, str] | None


class UnbannedAddress(Report):
    """The address that may connect again."""

    address: str


class CaptureReport(Report):
    """The recording: its file, interface and size."""

    file: str
    interface: str
    packets: int
    bytes: int


def show(operator: Operator, words: list[str]) -> Result[OcctlReport]:
    """Run a `show` command of occtl in the server's container.

    Raises UsageError for an unknown command, EngineError if the server is not running or occtl fails.
    """
    command, argument = _parse(words)
    arguments = occtl.occtl_arguments(command, argument, as_json=operator.json)
    with open_gateway(operator) as host:
        server_process(host)
        finished = None if command.streams else host.engine.execute(paths.SERVER, arguments, _SECONDS)
        following = host.engine.execute_command(paths.SERVER, arguments) if finished is None else ()
    if finished is None:
        # `show events` prints until it is stopped. Its lines hold names from certificates and tokens, so
        # terminal control characters are removed.
        operator.sinks.stream(operator.processes.lines(following, held_input=True))
        return Result(report=OcctlReport())
    if finished.code == occtl.NOT_FOUND:
        return Result(report=OcctlReport(rows=()), text=[text("There is no {words}.", words=" ".join(words))])
    _require(finished)
    answer = occtl.read_answer(command, finished.output) if operator.json else []
    fields = answer if isinstance(answer, dict) else {"rows": answer}
    return Result(report=OcctlReport.model_validate(fields), text=verbatim(finished.output))


def server_process(host: GatewayHost) -> int:
    """Return the id of the server's first process. Raises EngineError `server-not-running`."""
    found = host.engine.inspect(paths.SERVER)
    if found is None or found.process_id is None:
        raise EngineError(
            "server-not-running", "the server is not running", hint="Start it: `mst-cli server start`."
        )
    return found.process_id


def ask(host: GatewayHost, *words: str) -> tuple[JsonObject, ...]:
    """Return the rows of the `show` command `words`. Raises EngineError."""
    command = occtl.ShowCommand(words, "")
    finished = host.engine.execute(paths.SERVER, occtl.occtl_arguments(command, as_json=True), _SECONDS)
    _require(finished)
    return tuple(row for row in occtl.read_answer(command, finished.output) if isinstance(row, dict))


def _require(finished: Completed) -> None:
    if finished.code != 0:
        said = printable(finished.error or finished.output).strip()
        raise EngineError(
            "occtl-failed",
            "the gateway did not answer: {reason}",
            hint="Check it with `mst-cli server status`.",
            reason=said or text("exit code {code}", code=finished.code),
        )


def _parse(words: list[str]) -> tuple[occtl.ShowCommand, str]:
    """Parse a `show` command into the command and its argument. Raises UsageError that lists all commands."""
    for command in sorted(occtl.SHOW_COMMANDS, key=lambda item: -len(item.words)):
        count = len(command.words)
        if tuple(words[:count]) == command.words and len(words) <= count + 1:
            return command, "".join(words[count:])
    known = ", ".join(" ".join(command.words) for command in occtl.SHOW_COMMANDS)
    if not words:
        raise UsageError(
            "show-topic-missing", "`show` needs a topic", hint="Add one of: {known}.", known=known
        )
    raise UsageError(
        "show-unknown",
        "there is no `show {words}`",
        hint="Use one of: {known}.",
        words=" ".join(words),
        known=known,
    )


def disconnect(operator: Operator, kind: Literal["user", "id"], value: str) -> Result[EndedSessions]:
    """End the sessions of a user, or one by its number; without a match nothing changes."""
    occtl.judge_word("NAME" if kind == "user" else "ID", value)
    if not _done_by_occtl(operator, "disconnect", kind, value):
        content = text("There is no connected {kind} {value}.", kind=kind, value=value)
        return Result("unchanged", EndedSessions(ended=None), text=[content])
    content = text("Disconnected {kind} {value}.", kind=kind, value=value)
    return Result("changed", EndedSessions(ended={kind: value}), text=[content])


def unban(operator: Operator, address: str) -> Result[UnbannedAddress]:
    """Let an address connect again. Raises UsageError for an invalid address."""
    try:
        plain = str(ipaddress.ip_address(address))
    except ValueError as error:
        raise UsageError(
            "address-invalid",
            "{address} is not an IP address",
            hint="List the banned addresses with `mst-cli server show ip bans`.",
            address=address,
        ) from error
    if not _done_by_occtl(operator, "unban", "ip", plain):
        content = text("{plain} is not banned.", plain=plain)
        return Result("unchanged", UnbannedAddress(address=plain), text=[content])
    content = text("{plain} may connect again.", plain=plain)
    return Result("changed", UnbannedAddress(address=plain), text=[content])


def _done_by_occtl(operator: Operator, *words: str) -> bool:
    """Return False if occtl found nothing of that name: it then exits with 1 and says so."""
    with open_gateway(operator) as host:
        server_process(host)
        finished = host.engine.execute(paths.SERVER, ["occtl", "--no-pager", *words], _SECONDS)
    if finished.code != 0 and finished.output.startswith(f"could not {words[0]} "):
        return False
    _require(finished)
    return True


def capture(operator: Operator, what: str, file: str, *, seconds: int, largest: int) -> Result[CaptureReport]:
    """Record packets into a new file of mode 0600, for at most `seconds` and `largest` bytes.

    An interruption or the end of the client's connection stops it earlier and keeps the packets so far.
    Raises UsageError if the file cannot be created, or the client or interface does not exist.
    """
    target = Path(file).absolute()
    refuse_present(target)
    if kind_at(target.parent) != "directory":
        raise UsageError(
            "folder-missing",
            "there is no directory {parent}",
            hint="Correct the path.",
            parent=target.parent,
        )
    with open_gateway(operator) as host:
        process = server_process(host)
        device = _device(host, what)
    operator.console.say(
        text("Recording {device} for at most {seconds} s; Ctrl-C stops it.", device=device, seconds=seconds)
    )
    pieces = size = 0
    # The file is opened before entering the network namespace: inside, a rootless account cannot check the
    # directories above it. Only the network changes there.
    with operator.files.given.growing(str(target)) as file_of_packets:
        enter_network_of(process)
        if device not in interfaces():
            raise UsageError(
                "interface-unknown",
                "the server has no interface {device}",
                hint="Give one of {interfaces}, or the tunnel address of a client.",
                device=device,
                interfaces=", ".join(interfaces()),
            )
        try:
            for piece in record(device, seconds, largest):
                file_of_packets.append(piece)
                pieces, size = pieces + 1, size + len(piece)
        except KeyboardInterrupt:
            if not pieces:
                raise
            # The file is cut after the last whole packet.
            file_of_packets.truncate(size)
    # The first piece is the file header, not a packet.
    packets = pieces - 1
    report = CaptureReport(file=str(target), interface=device, packets=packets, bytes=size)
    content = text("{packets} packets in {target}.", packets=packets, target=target)
    return Result("changed", report, text=[content])


def _device(host: GatewayHost, what: str) -> str:
    """Return the interface to record; each client has a separate one. Raises UsageError `client-unknown`."""
    try:
        address = str(ipaddress.ip_address(what))
    except ValueError:
        return what
    for row in ask(host, "users"):
        if address in (row.get("IPv4"), row.get("IPv6")):
            return str(row["Device"])
    raise UsageError(
        "client-unknown",
        "no client has the address {address}",
        hint="List the clients with `mst-cli server show users`.",
        address=address,
    )
