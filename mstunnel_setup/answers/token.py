"""The section `token`: which access tokens of devices the gateway accepts."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from mstunnel_setup.answers.values import Guid, Part, matching

_SHORTEST, _LONGEST = 300, 7 * 24 * 3600
_DEFAULT_LIFETIME: Final = 30 * 3600


def _lifetime(seconds: int) -> int:
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ValueError(f"must be from {_SHORTEST} to {_LONGEST} seconds: correct it")
    return seconds


def _claim_value(value: object) -> str | int | bool:
    """The value as it is: the gateway compares types as well."""
    if not isinstance(value, str | int) or (isinstance(value, str) and not value.isprintable()):
        raise ValueError("must be one line of text, a number or true/false: correct it")
    return value


Issuer: TypeAlias = Annotated[
    str,
    matching(
        r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?",
        "must be an https address as in the claim `iss`, such as `https://sts.windows.net/TENANT/`: "
        "correct it",
    ),
]
# RFC 6749, section 3.3: printable, without space, `"` and `\`.
_Scope: TypeAlias = Annotated[
    str,
    matching(
        r"[!#-\[\]-~]{1,200}", "must be one permission as in the claim `scp`, without spaces: correct it"
    ),
]
_Clients: TypeAlias = Annotated[
    tuple[Guid, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]
Claims: TypeAlias = dict[
    Annotated[
        str,
        matching(
            r"[A-Za-z_][A-Za-z0-9_.:/-]{0,63}", "must be the name of a claim, such as `azp`: correct it"
        ),
    ],
    Annotated[
        str | int | bool,
        PlainValidator(_claim_value),
        WithJsonSchema({"type": ["string", "integer", "boolean"]}),
    ],
]


class TokenAnswers(Part):
    """The access tokens that let a device in, with `authentication: oidc`."""

    version: Annotated[Literal["1", "2"], BeforeValidator(str)] | None = Field(
        default=None,
        description="Version of the tokens, their claim ver: 1 or 2; default: 1, in the cloud custom 2",
        examples=["1"],
    )
    scope: _Scope | None = Field(
        default=None,
        description="Delegated permission that the claim scp must contain; default: Tunnel_Allow",
        examples=["Tunnel_Allow"],
    )
    clients: _Clients = Field(
        default=(),
        description="Ids of the only apps whose tokens are accepted, one or a list (claim azp, in version 1 "
        "appid); default: any app",
        examples=["11111111-2222-3333-4444-555555555555"],
        json_schema_extra={"type": ["string", "array"]},
    )
    maximum_lifetime: Annotated[int, AfterValidator(_lifetime)] = Field(
        default=_DEFAULT_LIFETIME,
        description=f"Seconds that a token may be valid for, {_SHORTEST} to {_LONGEST}; default: 30 hours",
    )
    required_claims: Claims = Field(
        default_factory=dict,
        description="Further claims that a token must have, each with exactly this value",
        examples=[{"azp": "11111111-2222-3333-4444-555555555555", "acct": 0}],
    )
