"""Refusals of the lab in the formats of Entra and Graph, and the errors of its command line.

Numbers: Microsoft Entra authentication and authorization error codes. No public source fully documents that
the browser shows them and the waiting device gets these OAuth codes: this is the lab's interpretation.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.text import text

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409


class OAuthError(Exception):
    """A refusal of the token or device code endpoint.

    `error` is the OAuth 2.0 code (RFC 6749, RFC 8628), `number` Entra's AADSTS number or 0 if none is
    publicly known.
    """

    def __init__(self, error: str, number: int, message: str, status: int = BAD_REQUEST) -> None:
        super().__init__(message)
        self.error = error
        self.number = number
        self.message = message
        self.status = status


class GraphError(Exception):
    """A refusal of Graph: HTTP status, code of the error envelope, message.

    `inner_code` is more specific: the code of a rule of mst-admin. `headers` are added to the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        inner_code: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.status = status
        self.code = code
        self.message = message
        self.inner_code = inner_code


def bad_request(message: str, code: str = "BadRequest", inner_code: str = "") -> GraphError:
    """Return the refusal for an invalid query, body or value in it."""
    return GraphError(BAD_REQUEST, code, message, inner_code)


def conflict(message: str) -> GraphError:
    """Return the refusal for a request that the state of other entities forbids."""
    return GraphError(CONFLICT, "Conflict", message)


def not_found(kind: str, identifier: str) -> GraphError:
    """Return the refusal for an Intune entity that does not exist."""
    message = text("{kind} '{name}' was not found.", kind=kind, name=identifier)
    return GraphError(NOT_FOUND, "ResourceNotFound", message)


def directory_bad_request(message: str) -> GraphError:
    """Return the refusal of Graph's directory for an invalid body or reference."""
    return bad_request(message, "Request_BadRequest")


def directory_not_found(identifier: str) -> GraphError:
    """Return the refusal for a directory object that does not exist."""
    return GraphError(
        NOT_FOUND,
        "Request_ResourceNotFound",
        f"Resource '{identifier}' does not exist or one of its queried reference-property objects "
        "are not present.",
    )


ACCOUNT_LOCKED: Final = 50053
MFA_REQUIRED: Final = 50076
_INTERACTION: Final = "interaction_required"
REFUSALS: Final = {
    ACCOUNT_LOCKED: ("invalid_grant", "The account is locked."),
    50055: ("invalid_grant", "The password is expired."),
    50057: ("invalid_grant", "The user account is disabled."),
    50072: (_INTERACTION, "The user has to enrol in multi-factor authentication."),
    50074: (_INTERACTION, "Strong authentication is required."),
    MFA_REQUIRED: (_INTERACTION, "The user must use multi-factor authentication."),
    50079: (_INTERACTION, "The user has to set up multi-factor authentication."),
    50097: (_INTERACTION, "Device authentication is required."),
    50105: ("invalid_grant", "The user is not assigned to a role for the application."),
    53000: (_INTERACTION, "The device is not in the required state: it is not compliant."),
    53001: (_INTERACTION, "The device is not in the required state: it is not joined."),
    53003: ("invalid_grant", "Access has been blocked by Conditional Access policies."),
    53004: (_INTERACTION, "The user has to finish setting up multi-factor authentication."),
}
"""OAuth code and message for each AADSTS number that refuses a user."""


def refused(number: int) -> OAuthError:
    """Return the refusal of the token endpoint."""
    error, message = REFUSALS[number]
    return OAuthError(error, number, message)


LAB_DIRECTORY = declare(
    UsageError,
    "lab-directory",
    "the lab cannot use {path}: {reason}",
    "Correct that, or use another --dir.",
)
LAB_SEED_INVALID = declare(
    UsageError,
    "lab-seed-invalid",
    "the seed file is invalid: {reason}",
    "Correct it. Without --seed, `mstunnel-lab serve` uses its own seed.",
)
LAB_SEED_NOT_YAML = declare(
    UsageError, "lab-seed-not-yaml", "{place}: {reason}", "Correct the YAML of the seed file."
)
LAB_TOKEN_FILE = declare(
    UsageError, "lab-token-file", "cannot write {path}: {reason}", "Check the path given with --out."
)


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Raise UsageError `lab-directory` if the block cannot read, parse or write a file at `path`."""
    try:
        yield
    except OSError as error:
        raise LAB_DIRECTORY(path=path, reason=error.strerror) from error
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise LAB_DIRECTORY(path=path, reason=error) from error
