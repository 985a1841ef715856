"""The subject of an explanation, the facts about it, and the rows that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.gateway.served import Address, Served
from mstunnel_setup.operations.explain.refusals import LogFindings

_NAMES: Final = ("upn", "unique_name", "preferred_username", "email")

Outcome: TypeAlias = Literal["ok", "warning", "problem", "unknown"]


@dataclass(frozen=True)
class Row:
    """One row: what was examined, the result, what was seen, and the next step."""

    id: str
    result: Outcome
    seen: str
    hint: str = ""


@dataclass(frozen=True)
class Subject:
    """Whom or what to explain: an address, a host name, or a user as `server show users` names it."""

    text: str

    @property
    def address(self) -> Address | None:
        """The IP address that the text is, if it is one."""
        try:
            return ip_address(self.text)
        except ValueError:
            return None

    @property
    def kind(self) -> Literal["address", "name", "user"]:
        """An object id has no dot, and a user name that has one has an @ too."""
        if self.address is not None:
            return "address"
        return "name" if "." in self.text and "@" not in self.text else "user"

    @property
    def is_guest(self) -> bool:
        """Whether it is the user principal name of a guest: Entra ID writes #EXT# into all of them."""
        return "#EXT#@" in self.text.upper()


@dataclass(frozen=True)
class Token:
    """A device's access token, decoded and not verified; both parts are empty for what is no JWT."""

    claims: Mapping[str, object]
    header: Mapping[str, object]

    def names(self, user: str) -> bool:
        """Whether this is how the token calls its user, in any of the claims for people to read."""
        return user.casefold() in {str(self.claims.get(claim, "")).casefold() for claim in _NAMES}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known on this host; None is what could not be found out.

    `now` is Unix time in seconds, `health` that of the server's container, `sessions` and `banned` are
    occtl's, `rules` is `oidc.json`, `destinations` are the address of the subject or those that its name has
    on the gateway, `dns` tells of each DNS server whether it answers on TCP port 53, `protected` are the
    destinations that the gateway's own rules refuse, `unroutable` those that it has no route to.
    """

    subject: Subject
    now: float
    health: str
    sessions: tuple[JsonObject, ...] | None = None
    banned: tuple[str, ...] | None = None
    served: Served | None = None
    rules: JsonObject = field(default_factory=dict)
    token: Token | None = None
    log: LogFindings | None = None
    destinations: tuple[Address, ...] = ()
    dns: Mapping[str, bool] = field(default_factory=dict)
    protected: tuple[Address, ...] = ()
    unroutable: tuple[Address, ...] = ()
    certificate: tuple[Problem, ...] = ()
    certificate_days: int | None = None

    @property
    def own_sessions(self) -> tuple[JsonObject, ...]:
        """The sessions of the subject: of this user, or from or with this address."""
        keys = ("Username", "Remote IP", "IPv4", "IPv6")
        return tuple(
            row for row in self.sessions or () if self.subject.text in [row.get(key) for key in keys]
        )

    @property
    def connected(self) -> bool:
        """Whether the subject is a device that was let in."""
        return any(row.get("State") == "connected" for row in self.own_sessions)

    @property
    def refused(self) -> int:
        """How many sign-ins from the subject's address were refused."""
        return 0 if self.log is None else self.log.refused

    @property
    def is_banned(self) -> bool:
        """Whether the gateway has banned the subject's address."""
        return self.subject.text in (self.banned or ())

    @property
    def is_device(self) -> bool:
        """Whether the subject is a user, or an address that a device was seen with."""
        known = self.own_sessions or self.refused or self.is_banned or (self.log and self.log.last)
        return self.subject.kind == "user" or bool(known)
