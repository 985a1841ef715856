"""HTTP to Graph: the bearer token, JSON in and out, paging, and the error for each refusal."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from mstunnel_setup.base.errors import Declared, NetworkError, SetupError, SignInError, TenantError, declare
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.http_port import HttpAnswer, HttpPort
from mstunnel_setup.tenant.approvals import approval_refusal
from mstunnel_setup.tenant.roles import access_denied
from mstunnel_setup.tenant.sign_in_errors import LICENCE_MISSING
from mstunnel_setup.tenant.token_sources import TokenSource

ANSWER_UNEXPECTED = declare(
    TenantError,
    "answer-unexpected",
    "Graph returned {found}",
    "Check tenant.graph. If it is correct, the API has changed: install a newer version of mstunnel-setup.",
)
GRAPH_UNAVAILABLE = declare(
    TenantError,
    "graph-unavailable",
    "Graph is not available: {request}",
    "Check the service health of Intune, then run the command again.",
)
NOT_FOUND = declare(
    TenantError,
    "not-found",
    "Graph does not have the object: {request}",
    "Check in the admin center that it still exists.",
)
REQUEST_REFUSED = declare(
    TenantError,
    "request-refused",
    "Graph refused {request}",
    "Correct the value that the message names, or run the command again with --verbose and read the log.",
)

_MOST_PAGES: Final = 1000
_MOST_WRAPPINGS: Final = 3


def json_object(response: HttpAnswer) -> JsonObject | None:
    """Return the JSON object in the body of `response`, or None."""
    try:
        document = json_value(response.content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


REFUSALS: Final[Mapping[int, Declared[SignInError] | Declared[TenantError]]] = {
    HTTPStatus.UNAUTHORIZED: declare(
        SignInError,
        "token-refused",
        "Graph refused the access token: {request}",
        "Sign in again; check tenant.cloud and the clock of this host.",
    ),
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.GONE: NOT_FOUND,
    HTTPStatus.CONFLICT: declare(
        TenantError,
        "conflict",
        "Graph reports a conflict: {request}",
        "First change or delete what uses the object; use another name if this one is taken.",
    ),
    HTTPStatus.PRECONDITION_FAILED: declare(
        TenantError,
        "changed-meanwhile",
        "the object was changed by someone else at the same time: {request}",
        "Run the command again.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: declare(
        TenantError,
        "throttled",
        "Graph is throttling requests: {request}",
        "Wait a few minutes, then run the command again.",
    ),
}


def _refusal(response: HttpAnswer, method: str, url: str, needs: str, token: str) -> SetupError:
    """Return the error for a refusal; `needs` is the permission that the request takes."""
    status, document = response.status_code, json_object(response)
    unavailable = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    # Graph's own front ends may send these without JSON, not only a proxy in between.
    bare = {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
    html = "html" in response.headers.get("Content-Type", "").lower()
    if document is None and not unavailable and (html or status not in bare):
        return _not_graph(url, status)
    envelope = document.get("error") if document else None
    error: Mapping[str, object] = envelope if isinstance(envelope, Mapping) else {}
    said, inner_code = _unwrapped(str(error.get("message") or ""))
    reason = plain(said)
    # Microsoft's support asks for the request id.
    request_id = plain(response.headers.get("request-id", ""), 64)
    request = text(
        "{method} {path}: {status}, {words}{request}",
        method=method,
        path=urlsplit(url).path,
        status=status,
        words=reason or plain(error.get("code") or "") or text("no reason given"),
        request=text(" (request {request_id})", request_id=request_id) if request_id else "",
    )
    change = text("{method} {path}", method=method, path=urlsplit(url).path)
    approval = approval_refusal(response, said, inner_code or str(error.get("code") or ""), change)
    if approval is not None:
        return approval
    # Intune has no code for a missing licence, only its message.
    words = reason.lower()
    licence: dict[int, bool] = {
        HTTPStatus.BAD_REQUEST: "not applicable to target tenant" in words,
        HTTPStatus.FORBIDDEN: "licence" in words or "license" in words,
    }
    if licence.get(status):
        return LICENCE_MISSING(detail=text(": {request}", request=request))
    if status == HTTPStatus.FORBIDDEN or inner_code == "Forbidden":
        return access_denied(request, method, urlsplit(url).path, needs, token)
    otherwise = GRAPH_UNAVAILABLE if unavailable else REQUEST_REFUSED
    return REFUSALS.get(status, otherwise)(request=request)


def _unwrapped(message: str) -> tuple[str, str]:
    """Return the text of an Intune message without its trace, and the error code inside it.

    Intune's services put JSON into `message`, once or twice (`Message`, `ErrorCode`). The refusal of a role
    may therefore have status 401 and the code UnknownError.
    """
    code = ""
    for _ in range(_MOST_WRAPPINGS):
        try:
            inner = json_value(message)
        except ValueError:
            break
        if not isinstance(inner, dict) or not isinstance(inner.get("Message"), str):
            break
        message, code = str(inner["Message"]), str(inner.get("ErrorCode") or code)
    return message.partition(" - Operation ID")[0], code


def _not_graph(url: str, status: int) -> NetworkError:
    """Return the error for a response that cannot be Graph's: a portal, a filter, a wrong address."""
    return NetworkError(
        "answer-not-graph",
        "{host} returned HTTP {status} without JSON: this is not Graph",
        hint=(
            "A captive portal, web filter or proxy answers instead: allow this host there, or "
            "check https_proxy, no_proxy and tenant.graph."
        ),
        host=urlsplit(url).netloc,
        status=status,
    )


class GraphTransport:
    """Sends requests to Graph below `base` (https://HOST/VERSION) on behalf of a token's owner."""

    def __init__(self, http: HttpPort, base: str, token: TokenSource) -> None:
        self._http = http
        self._base = base
        self._token = token

    def send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, needs: str = ""
    ) -> JsonObject:
        """Send one request and return the JSON object of the response, empty for 204.

        `path` starts with a slash, `needs` names the permission that the request takes. Raises SignInError
        (401, 403), WaitingError (the change needs an approval), TenantError (every other refusal),
        NetworkError (no response, or not from Graph).
        """
        return self._send(method, f"{self._base}{path}", body, needs)

    def pages(self, path: str, *, needs: str = "") -> Iterator[JsonObject]:
        """Yield the entities of all pages of a collection.

        Raises TenantError `paging-broken` for a link that leads in a circle or away from Graph.
        """
        yield from self._following(f"{self._base}{path}", path, needs)

    def expanded(self, document: Mapping[str, object], name: str, *, needs: str = "") -> Iterator[JsonObject]:
        """Yield the entities of all pages of an expanded collection; raises as `pages`."""
        yield from _entities(document, name, name)
        yield from self._following(document.get(f"{name}@odata.nextLink"), name, needs)

    def called(self, path: str, body: Mapping[str, object], *, needs: str = "") -> list[JsonObject]:
        """Call an action that returns a list; raises as `send`."""
        return _entities(self.send("POST", path, body, needs=needs), path)

    def _following(self, link: object, path: str, needs: str) -> Iterator[JsonObject]:
        seen: set[str] = set()
        while link:
            if not isinstance(link, str) or link in seen or len(seen) >= _MOST_PAGES or not self._ours(link):
                raise TenantError(
                    "paging-broken",
                    "the page links of {path} form a loop or leave Graph",
                    hint=(
                        "Run the command again; if it fails again, check any proxy between this host and "
                        "Graph."
                    ),
                    path=path,
                )
            seen.add(link)
            document = self._send("GET", link, None, needs)
            yield from _entities(document, path)
            link = document.get("@odata.nextLink")

    def _ours(self, link: str) -> bool:
        """Return whether a link stays with Graph: the token must not be sent anywhere else."""
        try:
            return urlsplit(link)[:2] == urlsplit(self._base)[:2]
        except ValueError:
            return False

    def _send(self, method: str, url: str, body: Mapping[str, object] | None, needs: str) -> JsonObject:
        token = self._token()
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        response = self._http.request(method, url, json=body, headers=headers, allow_redirects=False)
        if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise _refusal(response, method, url, needs, token)
        if response.status_code == HTTPStatus.NO_CONTENT:
            return {}
        document = json_object(response)
        if document is None:
            raise _not_graph(url, response.status_code)
        return document


def query(**options: str) -> str:
    """Return OData system query options as a query string, names without their dollar sign."""
    return "?" + urlencode(
        {f"${name}": value for name, value in options.items()}, quote_via=quote, safe="$(),"
    )


def equals(name: str, value: str) -> str:
    """Return the `$filter` "property is value"; quotes in the value are doubled (OData 4.01 ABNF)."""
    doubled = value.replace("'", "''")
    return f"{name} eq '{doubled}'"


def _entities(document: Mapping[str, object], path: str, name: str = "value") -> list[JsonObject]:
    value = document.get(name)
    if not isinstance(value, list):
        raise ANSWER_UNEXPECTED(found=text("no list of objects for {path}", path=path))
    return value
