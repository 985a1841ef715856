"""Kinds of values in an answer file, each with its validation and its error message."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Annotated, Final, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.base.image_names import IMAGE, REGISTRY

GRAPH_COMMAND_LINE_TOOLS = "graph-command-line-tools"
"""Value instead of a client id: the application of that name that every tenant can use."""

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DOMAIN = r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHORTEST_RANGE, _LONGEST_RANGE = 16, 28
LONGEST_NAME: Final = 200
"""Allowed characters of names in the tenant and in answers."""


class Key(str):
    """A key of the answer file in a message, which may name an option or variable in its place."""

    __slots__ = ()


@dataclass(frozen=True)
class Option:
    """Option and help of a setting; without one the setting has only a variable.

    `metavar` stands for its value in the help; `flag` is the value of an option without an argument. With
    `file` it takes the path of a file, with `secret` of one that holds a secret.
    """

    option: str = ""
    help: str = ""
    metavar: str | None = None
    flag: str = ""
    file: bool = False
    secret: bool = False


def _types(annotation: object) -> Iterator[object]:
    """Yield an annotation and the types that it consists of, such as those of a union."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


class Part(BaseModel):
    """A section: immutable, without unknown keys; a number is accepted where text is expected."""

    # The answer file's schema contains those of its sections, so few sections need a separate one.
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, defer_build=True)

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object, info: ValidationInfo) -> object:
        """Require digits only in a text for a whole number, such as a variable's: not `1_00` or `60.0`."""
        types = [*_types(cls.model_fields[info.field_name or ""].annotation)]
        wanted = int in types and str not in types
        if wanted and isinstance(value, str) and not _WHOLE.fullmatch(value):
            raise PydanticCustomError("int_parsing", "must be a whole number")
        return value


def matching(pattern: str, message: str) -> AfterValidator:
    """Return a validator that accepts text fully matching `pattern`, else raises with `message`."""
    expression = re.compile(pattern)

    def matched(text: str) -> str:
        if not expression.fullmatch(text):
            raise ValueError(message)
        return text

    return AfterValidator(matched)


one_or_several = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
"""Validator that wraps a single value into a list."""


def at_most(count: int, advice: str) -> AfterValidator:
    """Return a validator that accepts at most `count` values, else raises with the advice."""

    def counted(values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) > count:
            raise ValueError(f"must have at most {count} {advice}")
        return values

    return AfterValidator(counted)


def between(lowest: int, highest: int, unit: str) -> AfterValidator:
    """Return a validator that accepts a number from `lowest` to `highest`."""

    def bounded(number: int) -> int:
        if not lowest <= number <= highest:
            raise ValueError(f"must be from {lowest} to {highest} {unit}: correct it")
        return number

    return AfterValidator(bounded)


def _line(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_NAME or not text.isprintable():
        raise ValueError(
            f"must be one line of 1 to {LONGEST_NAME} printable characters: shorten or complete it"
        )
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or "/../" in f"{text}/" or not text.isprintable():
        raise ValueError("must be the full path of a file: start it with `/`, without `..`")
    return text


def pem_certificates(text: str) -> str:
    """Return the certificates in a PEM text, without any surrounding text; "" if there are none."""
    return "".join(_PEM.findall(text.replace("\r\n", "\n")))


def _certificates(text: str) -> str:
    """Raise unless the text holds only certificates: all users could read a key in it."""
    found = pem_certificates(f"{text}\n")
    if not found or found.split() != text.split():
        raise ValueError("must be certificates in PEM and nothing else: correct it")
    return found


def _variable_value(value: object) -> str:
    """Return text unchanged, numbers and truth values as env.sh writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int):
        raise ValueError("must be text, a number or true/false: put it in quotes")  # noqa: TRY004 (pydantic's protocol)
    text = str(value)
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters: remove them")
    return text


def _range(text: str) -> str:
    try:
        network = IPv4Network(text)
    except ValueError:
        network = None
    if network is None or not _LONGEST_RANGE >= network.prefixlen >= _SHORTEST_RANGE:
        raise ValueError("must be an IPv4 range of /16 to /28 such as `192.168.240.0/24`: correct it")
    return str(network)


def _one_or_more(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise ValueError("must be a path or a list of paths: correct it")  # noqa: TRY004 (pydantic's protocol)
    return (_path(value),) if isinstance(value, str) else value


Line: TypeAlias = Annotated[str, AfterValidator(_line)]
FilePath: TypeAlias = Annotated[str, AfterValidator(_path)]
Url: TypeAlias = Annotated[
    str,
    matching(
        r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?|https://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?",
        "must be an https address such as `https://login.example.com`: correct it",
    ),
    AfterValidator(lambda text: text.rstrip("/")),
]
Certificates: TypeAlias = Annotated[str, AfterValidator(_certificates)]
Guid: TypeAlias = Annotated[
    str,
    matching(_GUID, "must be a GUID such as `11111111-2222-3333-4444-555555555555`: correct it"),
    AfterValidator(str.lower),
]
ClientId: TypeAlias = Annotated[
    str,
    matching(
        f"{_GUID}|{GRAPH_COMMAND_LINE_TOOLS}",
        "must be the id of an application (a GUID such as `11111111-2222-3333-4444-555555555555`) or "
        f"`{GRAPH_COMMAND_LINE_TOOLS}`: correct it",
    ),
    AfterValidator(str.lower),
]
TenantId: TypeAlias = Annotated[
    str,
    matching(
        f"organizations|{_GUID}|{_DOMAIN}",
        "must be a tenant id (GUID), a domain of the tenant, or `organizations`: correct it",
    ),
]
ImageReference: TypeAlias = Annotated[
    str,
    matching(
        IMAGE,
        "must name an image by digest, without a tag and in lower case: "
        "write `registry.example.com/name@sha256:` and 64 hex digits",
    ),
]
# The registry stands before `/name@sha256:…`.
ImageRegistry: TypeAlias = Annotated[
    str,
    matching(REGISTRY, "must be a registry in lower case: write `host[:port][/path]`, without `https://`"),
]
Ipv4Range: TypeAlias = Annotated[str, AfterValidator(_range)]
# useradd(8) accepts these names on every distribution.
AccountName: TypeAlias = Annotated[
    str, matching(r"[a-z_][a-z0-9_-]{0,31}", "must be the name of an account, such as `mstunnel`: correct it")
]
FilePaths: TypeAlias = Annotated[tuple[FilePath, ...], BeforeValidator(_one_or_more)]
SecretPlace: TypeAlias = Annotated[
    SecretReference,
    PlainValidator(
        lambda value: value if isinstance(value, SecretReference) else SecretReference.parse(value)
    ),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(file:/.+|env:[A-Za-z_][A-Za-z0-9_]*|credential:.+)$"}),
]
Variables: TypeAlias = dict[
    Annotated[
        str,
        matching(
            r"[A-Za-z_][A-Za-z0-9_]*",
            "must be a variable name (letters, digits, `_`, no digit first): rename it",
        ),
    ],
    Annotated[
        str, PlainValidator(_variable_value), WithJsonSchema({"type": ["string", "integer", "boolean"]})
    ],
]


# Every host in such a range can forge device addresses in the log and for bans, so it must not be large.
_SHORTEST: Final = {4: 16, 6: 48}


def _balancer(text: str) -> str:
    try:
        # The zone of an IPv6 address (after %) has a meaning on one machine only.
        network = None if "%" in text else ip_network(text)
    except ValueError:
        network = None
    if network is None:
        raise ValueError(
            "must be an address or a network such as `192.0.2.10` or `2001:db8:7::/64`: correct it"
        )
    if network.prefixlen < _SHORTEST[network.version]:
        raise ValueError(
            f"must not be wider than /{_SHORTEST[network.version]}, as all of it can claim to be any device: "
            "name the balancers"
        )
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)


Balancers: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_balancer)], ...],
    one_or_several,
    at_most(64, "entries: name a network instead"),
]
