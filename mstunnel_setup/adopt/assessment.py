"""What becomes of each part of Microsoft's gateway: carried over, changed or lost; and what prevents that."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from mstunnel_setup.adopt.adoption import beside
from mstunnel_setup.adopt.inventory import Inventory
from mstunnel_setup.answers.variables import PROXIES
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.redaction import STARS
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue
from mstunnel_setup.containers.vendor import NAMES

Fate: TypeAlias = Literal["carried", "changed", "lost"]

# Names in env.sh that mean the same to both gateways.
_VARIABLES: Final = (*PROXIES, "TRACE_SESSIONS", "DEBUG_LEVEL")
# Settings of ocserv.conf that follow from the site's server configuration here, or are fixed.
_OWN_OF_OCSERV: Final = ("session-timeout", "max-clients", "mtu", "dpd", "mobile-dpd", "tls-priorities")
_ALWAYS_LOST: Final = (
    (
        text("record in the tenant"),
        text("the record of Microsoft's server stays, and nothing reports to it any more"),
    ),
    (
        text("health, trends and logs"),
        text("the admin center shows none for this server: `mst-cli health` does"),
    ),
    (text("agent's identity"), text("agent.p12 is not used: the new server registers with its own identity")),
    ("sessions", text("all end at the switch; devices connect again")),
)


@dataclass(frozen=True)
class Item:
    """One part of the gateway and what becomes of it."""

    fate: Fate
    subject: str
    detail: str


@dataclass(frozen=True)
class Assessment:
    """All parts, the answers that follow from them (by setting path), and what blocks or should be known."""

    items: tuple[Item, ...]
    answers: JsonObject
    blockers: tuple[CheckError, ...]
    notices: tuple[Problem, ...]


def assess(inventory: Inventory, given: Mapping[str, Any], occupied: tuple[str, ...] = ()) -> Assessment:
    """Judge an inventory.

    `given` are the answers that were given by setting path: they count before what is carried over.
    `occupied` are paths where something lies already that the switch would set aside to.
    """
    has_certificate = bool(given.get("certificate.chain") or given.get("certificate.pfx"))
    replaced = {name.lower() for name in given.get("environment", {})}
    return Assessment(
        items=(
            *_carried(inventory, replaced, has_certificate=has_certificate),
            *_changed(inventory, replaced, has_certificate=has_certificate),
            *_lost(inventory),
        ),
        answers=dict(_answers(inventory)),
        blockers=tuple(_blockers(inventory, occupied, has_certificate=has_certificate)),
        notices=tuple(_notices(inventory)),
    )


def set_aside(inventory: Inventory) -> tuple[str, ...]:
    """What the switch moves aside: the directory, and the programs and units with the names of ours."""
    directory = (paths.CONFIGURATION,) if inventory.files else ()
    units = tuple(path for path in inventory.signs.units if path.startswith("/etc/"))
    return (*directory, *inventory.signs.programs, *units)


def carried_roots(inventory: Inventory) -> tuple[str, ...]:
    """The files of trusted roots that the switch copies: nothing reads one with another name."""
    return tuple(path for path in inventory.roots if path.endswith(".crt"))


def _carried(inventory: Inventory, replaced: Collection[str], *, has_certificate: bool) -> Iterator[Item]:
    certificate = inventory.certificate
    if certificate.fingerprint and not has_certificate:
        detail = f"{certificate.subject}, valid until {certificate.not_after}, from {certificate.chain}"
        yield Item("carried", "certificate", detail)
    if site := inventory.tenant.get("SiteId"):
        yield Item("carried", "site", site)
    if network := inventory.configuration.get("Network"):
        port = inventory.configuration.get("ListenPort")
        yield Item(
            "carried", text("server configuration"), f"clients in {network}, port {port}; read from the site"
        )
    for name in _carried_variables(inventory):
        if name.lower() not in replaced:
            yield Item("carried", f"{name} in env.sh", inventory.environment[name])
    for path in carried_roots(inventory):
        yield Item("carried", text("trusted root"), path)


def _changed(inventory: Inventory, replaced: Collection[str], *, has_certificate: bool) -> Iterator[Item]:
    if has_certificate:
        yield Item("changed", "certificate", "the one in the answers is served")
    for name in _carried_variables(inventory):
        if name.lower() in replaced:
            yield Item("changed", f"{name} in env.sh", "the value in the answers counts")
    for name in (name for name in _OWN_OF_OCSERV if name in inventory.gateway):
        detail = f"{inventory.gateway[name]} today; the site's server configuration decides"
        yield Item("changed", f"{name} in ocserv.conf", detail)
    for path, line in inventory.cron:
        yield Item("changed", f"cron job in {path}", f"calls the mst-cli of this program: {line}")
    for container in inventory.containers:
        detail = (
            f"stopped and kept as {beside(container.name)}; restart policy today: {container.restart_policy}"
        )
        yield Item("changed", f"{container.engine} container {container.name}", detail)
    for path in set_aside(inventory):
        yield Item("changed", path, f"moved to {beside(path)}")


def _lost(inventory: Inventory) -> Iterator[Item]:
    for name, value in inventory.environment.items():
        if name not in _carried_variables(inventory):
            reason = text("it holds a password") if STARS in value else text("unknown to this gateway")
            yield Item("lost", f"{name} in env.sh", reason)
    for path in inventory.roots:
        if path not in carried_roots(inventory):
            reason = text("not copied: its name does not end in .crt")
            yield Item("lost", path, reason)
    for subject, detail in _ALWAYS_LOST:
        yield Item("lost", subject, detail)


def _carried_variables(inventory: Inventory) -> list[str]:
    return [name for name in _VARIABLES if STARS not in inventory.environment.get(name, STARS)]


def _answers(inventory: Inventory) -> Iterator[tuple[str, JsonValue]]:
    if site := inventory.tenant.get("SiteId"):
        yield "site", site
    if tenant := inventory.tenant.get("AADTenantId"):
        yield "tenant.id", tenant
    variables: JsonObject = {name: inventory.environment[name] for name in _carried_variables(inventory)}
    if variables:
        yield "environment", variables


def _blockers(
    inventory: Inventory, occupied: tuple[str, ...], *, has_certificate: bool
) -> Iterator[CheckError]:
    certificate = inventory.certificate
    if not has_certificate:
        if not certificate.chain:
            yield CheckError(
                "vendor-certificate-missing",
                "the certificate that Microsoft's gateway serves was not found as PEM files",
                hint="Name it with --cert and --key, or with --pfx and --passphrase-file.",
            )
        for problem, hint in zip(certificate.problems, certificate.hints, strict=True):
            yield CheckError(
                "vendor-certificate-unusable",
                "the certificate {chain}: {problem}",
                hint="{advice} Or name another one with --cert and --key.",
                chain=certificate.chain,
                problem=problem,
                advice=hint,
            )
    if inventory.owner is not None:
        yield CheckError(
            "vendor-rootless",
            ("the account with uid {owner} owns /etc/mstunnel: Microsoft's gateway runs without root"),
            hint=(
                "A gateway without root cannot be taken over. Remove it with its own `mst-cli "
                "uninstall`, then install this one with `mstunnel-setup --rootless`."
            ),
            owner=inventory.owner,
        )
    kind = next((file.kind for file in inventory.files), "directory")
    if kind != "directory":
        yield CheckError(
            "vendor-directory-irregular",
            "{path} is a {kind}, so it cannot be moved aside",
            hint="Replace it with a directory on the same file system as /etc.",
            path=paths.CONFIGURATION,
            kind=kind,
        )
    if occupied:
        yield CheckError(
            "vendor-aside-occupied",
            "{paths} already exist; an earlier adoption left them",
            hint="Move them to another place.",
            paths=", ".join(occupied),
        )


def _notices(inventory: Inventory) -> Iterator[Problem]:
    if inventory.waiting:
        yield warning(
            "vendor-messages-waiting",
            "{count} messages wait in /etc/mstunnel/messages/in; an upgrade may be in progress",
            hint="Check the version in the admin center, and start the switch when no upgrade is due.",
            count=len(inventory.waiting),
        )
    missing = [name for name in NAMES if name not in [item.name for item in inventory.containers]]
    if missing:
        yield warning(
            "vendor-containers-unseen",
            "neither Podman nor Docker shows {missing}",
            hint=(
                "Check `podman ps --all` and `docker ps --all` as root, and for an account that runs them."
            ),
            missing=" and ".join(missing),
        )
