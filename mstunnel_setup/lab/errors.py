"""Refusals of the lab tenant, in the two dialects that Entra and Graph speak."""

from typing import Final

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
CONFLICT: Final = 409


class OAuthError(Exception):
    """A refusal of the token or device code endpoint.

    `error` is the OAuth 2.0 code (RFC 6749, RFC 8628), `number` Entra's AADSTS number or 0 where none is
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

    `inner_code` says more exactly what was refused: the code of a rule of mst-admin.
    """

    def __init__(self, status: int, code: str, message: str, inner_code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.inner_code = inner_code


def not_found(kind: str, identifier: str) -> GraphError:
    """Return the refusal for an Intune entity that does not exist."""
    return GraphError(NOT_FOUND, "ResourceNotFound", f"{kind} '{identifier}' was not found.")


def directory_not_found(identifier: str) -> GraphError:
    """Return the refusal for a directory object that does not exist."""
    return GraphError(
        NOT_FOUND,
        "Request_ResourceNotFound",
        f"Resource '{identifier}' does not exist or one of its queried reference-property objects "
        "are not present.",
    )
