"""The error for each refusal of Graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self
from urllib.parse import urlsplit

from mstunnel_setup.base.errors import Declared, NetworkError, SetupError, SignInError, TenantError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.http_port import HttpAnswer
from mstunnel_setup.tenant.errors import (
    CHANGED_MEANWHILE,
    CONFLICT,
    ENTRA_LICENCE_MISSING,
    GRAPH_UNAVAILABLE,
    LICENCE_MISSING,
    NOT_FOUND,
    REQUEST_REFUSED,
    THROTTLED,
    TOKEN_REFUSED,
)
from mstunnel_setup.tenant.wire import (
    APP_ROLE_ASSIGNMENT_READ_WRITE,
    APPLICATION_READ_WRITE,
    CONFIGURATION_READ,
    CONFIGURATION_READ_WRITE,
)
from mstunnel_setup.tenant.wire_access import POLICY_CHANGE, POLICY_READ

_ROLES: Final = {
    CONFIGURATION_READ: text("Intune Administrator"),
    CONFIGURATION_READ_WRITE: text("Intune Administrator (and an Intune licence)"),
    APPLICATION_READ_WRITE: text("Cloud Application Administrator"),
    APP_ROLE_ASSIGNMENT_READ_WRITE: text("Privileged Role Administrator"),
    POLICY_READ: text("Conditional Access Administrator"),
    POLICY_CHANGE: text("Conditional Access Administrator"),
}
"""The least Entra role a user needs beside each permission (Microsoft Entra built-in roles)."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read once: `document` is its JSON object, or None when it holds none.

    `code` and `message` are those of Graph's error envelope, `request_id` is what support asks for.
    """

    method: str
    url: str
    status: int
    document: JsonObject | None
    code: str = ""
    message: str = ""
    request_id: str = ""
    html: bool = False

    @classmethod
    def of(cls, response: HttpAnswer, method: str, url: str) -> Self:
        """Read a response of the HTTP session."""
        document = json_object(response)
        envelope = document.get("error") if document else None
        error: Mapping[str, object] = envelope if isinstance(envelope, Mapping) else {}
        return cls(
            method,
            url,
            response.status_code,
            document,
            plain(error.get("code") or ""),
            plain(error.get("message") or ""),
            plain(response.headers.get("request-id", ""), 64),
            "html" in response.headers.get("Content-Type", "").lower(),
        )

    @property
    def accepted(self) -> bool:
        """Whether Graph did what was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def host(self) -> str:
        """The host that was asked."""
        return urlsplit(self.url).netloc

    @property
    def said(self) -> str:
        """What was asked and what Graph said, for the message of an error."""
        request = f" (request {self.request_id})" if self.request_id else ""
        words = self.message or self.code or "no reason given"
        return text(
            "{method} {path}: {status}, {words}{request}",
            method=self.method,
            path=urlsplit(self.url).path,
            status=self.status,
            words=words,
            request=request,
        )


def json_object(response: HttpAnswer) -> JsonObject | None:
    """Return the JSON object that is the body of `response`, or None."""
    try:
        document = json_value(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


_REFUSALS: Final[Mapping[int, Declared[SignInError] | Declared[TenantError]]] = {
    HTTPStatus.UNAUTHORIZED: TOKEN_REFUSED,
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.GONE: NOT_FOUND,
    HTTPStatus.CONFLICT: CONFLICT,
    HTTPStatus.PRECONDITION_FAILED: CHANGED_MEANWHILE,
    HTTPStatus.TOO_MANY_REQUESTS: THROTTLED,
}


def explain(answer: Answer, needs: str = "") -> SetupError:
    """Return the error that a refusal amounts to; `needs` is the permission the request takes."""
    if answer.document is None and not _plausible_without_json(answer):
        return not_graph(answer)
    if _without_licence(answer):
        missing = ENTRA_LICENCE_MISSING if "/identity/" in answer.url else LICENCE_MISSING
        return missing(detail=f": {answer.said}")
    if answer.status == HTTPStatus.FORBIDDEN:
        role = text(", and the user needs the role {needs}", needs=_ROLES[needs]) if needs in _ROLES else ""
        permission = text("the permission {needs}", needs=needs) if needs else text("another permission")
        return SignInError(
            "permission-missing",
            "Graph denied access: {request}",
            hint="Grant the application consent to {permission}{role}.",
            request=answer.said,
            permission=permission,
            role=role,
        )
    unavailable = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    otherwise = GRAPH_UNAVAILABLE if unavailable else REQUEST_REFUSED
    return _REFUSALS.get(answer.status, otherwise)(request=answer.said)


def not_graph(answer: Answer) -> NetworkError:
    """Return the error for an answer that cannot be Graph's: a portal, a filter, a wrong address."""
    return NetworkError(
        "answer-not-graph",
        "{host} returned HTTP {status} without JSON: this is not Graph",
        hint=(
            "A captive portal, web filter or proxy answers instead: allow this host there, or "
            "check https_proxy, no_proxy and tenant.graph."
        ),
        host=answer.host,
        status=answer.status,
    )


def _plausible_without_json(answer: Answer) -> bool:
    """Tell whether Graph's front doors, and not something in between, may have sent this."""
    bare = {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
    unavailable = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return unavailable or (answer.status in bare and not answer.html)


def _without_licence(answer: Answer) -> bool:
    """Whether a licence is what is missing; Intune has no code for it, so its words have to do."""
    words = answer.message.lower()
    tenant = answer.status == HTTPStatus.BAD_REQUEST and "not applicable to target tenant" in words
    person = answer.status == HTTPStatus.FORBIDDEN and ("licence" in words or "license" in words)
    return tenant or person
