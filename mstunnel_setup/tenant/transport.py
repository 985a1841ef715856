"""HTTP to Graph: the bearer token, JSON in and out, paging."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.tenant.errors import ANSWER_UNEXPECTED
from mstunnel_setup.tenant.graph_errors import Answer, explain, not_graph
from mstunnel_setup.tenant.token_sources import AccessToken

_MOST_PAGES: Final = 1000


class GraphTransport:
    """Sends requests to Graph below `base` (https://HOST/VERSION) in the name of a token's owner."""

    def __init__(self, http: HttpPort, base: str, token_source: AccessToken) -> None:
        self._http = http
        self._base = base
        self._token_source = token_source

    def send(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, needs: str = ""
    ) -> JsonObject:
        """Send one request and return the JSON object of the answer, empty for 204.

        `path` starts with a slash, `needs` names the permission the request takes. Raises SignInError
        (401, 403), TenantError (every other refusal), NetworkError (no answer, or none of Graph's).
        """
        return self._send(method, f"{self._base}{path}", body, needs)

    def pages(self, path: str, *, needs: str = "") -> Iterator[JsonObject]:
        """Yield the entities of a collection, all pages of it.

        Raises TenantError `paging-broken` for a link that leads in a circle or away from Graph.
        """
        yield from self._following(f"{self._base}{path}", path, needs)

    def expanded(self, document: Mapping[str, object], name: str, *, needs: str = "") -> Iterator[JsonObject]:
        """Yield the entities of an expanded collection, all pages of it; raises as `pages`."""
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
        """Tell whether a link stays with Graph: the token must not travel anywhere else."""
        try:
            return urlsplit(link)[:2] == urlsplit(self._base)[:2]
        except ValueError:
            return False

    def _send(self, method: str, url: str, body: Mapping[str, object] | None, needs: str) -> JsonObject:
        headers = {"Authorization": f"Bearer {self._token_source.token()}", "Accept": "application/json"}
        response = self._http.request(method, url, json=body, headers=headers, allow_redirects=False)
        answer = Answer.of(response, method, url)
        if not answer.accepted:
            raise explain(answer, needs)
        if answer.status == HTTPStatus.NO_CONTENT:
            return {}
        if answer.document is None:
            raise not_graph(answer)
        return answer.document


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
