"""A real lab in a separate process on loopback, and clients that use it over TLS."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.unit import running_lab
from tests.unit.mstunnel_lab.pages import Pages
from tests.unit.running_lab import LabProcess

HERE = Path(__file__).parent
GRAPH_DEFAULT = "https://graph.microsoft.com/.default"
SITES = "/deviceManagement/microsoftTunnelSites"
CONFIGURATIONS = "/deviceManagement/microsoftTunnelConfigurations"
SEED = str(HERE / "seed.yaml")
GATEWAY = "3678c9e9-9681-447a-974d-d19f668fcd88"
APPS = {
    "setup": "11111111-1111-4111-8111-111111111111",
    "device": "22222222-2222-4222-8222-222222222222",
    "viewer": "33333333-3333-4333-8333-333333333333",
    "agent": "44444444-4444-4444-8444-444444444444",
    "other": "55555555-5555-4555-8555-555555555555",
    "powerless": "66666666-6666-4666-8666-666666666666",
}
SECRETS = {
    "agent": "a-secret-of-the-agent",
    "other": "a-secret-of-the-other",
    "powerless": "a-secret-without-power",
}


def agent_form(scope: str = GRAPH_DEFAULT) -> dict[str, str]:
    """Return the form with which an agent's application requests a token."""
    form = {"grant_type": "client_credentials", "client_id": APPS["agent"]}
    return form | {"client_secret": SECRETS["agent"], "scope": scope}


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a token without a check of its signature."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


class TrustAdapter(HTTPAdapter):
    """An adapter that trusts one authority, whatever REQUESTS_CA_BUNDLE says."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = ssl.create_default_context(cafile=self._ca_file)
        super().init_poolmanager(*args, **kwargs, ssl_context=context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the check to the context: requests must not load another bundle into it."""


def trusting_session(ca_file: str) -> requests.Session:
    session = requests.Session()
    session.mount("https://", TrustAdapter(ca_file))
    return session


@dataclass
class LabClient:
    """A client of the running lab for tests."""

    description: dict[str, Any]
    session: requests.Session
    tokens: dict[tuple[str, int], str] = field(default_factory=dict)

    def password(self, name: str) -> str:
        return str(self.user(name)["password"])

    def oauth(self, path: str, form: dict[str, str], tenant: str = "") -> requests.Response:
        base = f"{self.description['graph']}/{tenant or self.description['tenant_id']}"
        return self.session.post(f"{base}/oauth2/v2.0/{path}", data=form, timeout=20)

    def password_form(self, name: str, app: str = "setup", scope: str = GRAPH_DEFAULT) -> dict[str, str]:
        """Return the form with which an application requests a user's token with the user's password."""
        return {
            "grant_type": "password",
            "client_id": APPS[app],
            "username": f"{name}@lab.example",
            "password": self.password(name),
            "scope": scope,
        }

    def user_token(self, name: str, app: str = "setup", scope: str = GRAPH_DEFAULT) -> str:
        return self._token(self.password_form(name, app, scope))

    def app_token(self, app: str, scope: str = GRAPH_DEFAULT) -> str:
        return self._token(agent_form(scope) | {"client_id": APPS[app], "client_secret": SECRETS[app]})

    def _token(self, form: dict[str, str]) -> str:
        answer = self.oauth("token", form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def token_as(self, who: str) -> str:
        """Return a token of `user`, `user/app` or `app:name`, of the last five minutes; "" for `nobody`."""
        key, (user, _, app) = (who, int(time.monotonic() // 300)), who.partition("/")
        if who != "nobody" and key not in self.tokens:
            if who.startswith("app:"):
                self.tokens[key] = self.app_token(who.removeprefix("app:"))
            elif who == "gateway":
                self.tokens[key] = self.user_token("device", "device", f"{GATEWAY}/.default")
            else:
                self.tokens[key] = self.user_token(user, app or "setup")
        return self.tokens.get(key, "")

    def graph(
        self, who: str, method: str, path: str, body: Any = None, token: str | None = None, **options: Any
    ) -> requests.Response:
        address = path if path.startswith("https://") else f"{self.description['graph']}/beta{path}"
        bearer = self.token_as(who) if token is None else token
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self.session.request(method, address, json=body, headers=headers, timeout=20, **options)

    def status(self, who: str, method: str, path: str, body: Any = None, token: str | None = None) -> int:
        """Return the status of the response."""
        return self.graph(who, method, path, body, token).status_code

    def read(self, path: str) -> Any:
        """Return the document that an administrator reads at a path."""
        return self.graph("admin", "GET", path).json()

    def create(self, path: str, body: Any, who: str = "admin") -> Any:
        """Create an entity and return it."""
        answer = self.graph(who, "POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def site_id(self, name: str = "Berlin") -> str:
        return self._id(f"{SITES}?$filter=displayName eq '{name}'")

    def configuration_id(self, name: str = "Main") -> str:
        return self._id(f"{CONFIGURATIONS}?$filter=displayName eq '{name}'")

    def principal_id(self, app_id: str) -> str:
        return self._id(f"/servicePrincipals?$filter=appId eq '{app_id}'")

    def _id(self, path: str) -> str:
        return str(self.read(path)["value"][0]["id"])

    def user(self, name: str) -> dict[str, Any]:
        """Return a user of lab.json."""
        found: list[dict[str, Any]] = self.description["users"]
        return next(user for user in found if user["upn"] == f"{name}@lab.example")

    def control(self, method: str, path: str, document: object = None, key: str = "") -> requests.Response:
        """Send a request to a control path."""
        known = self.description["control"]
        headers = {"Authorization": f"Bearer {key or known['key']}"}
        address = f"{known['address']}/{path}"
        return self.session.request(method, address, json=document, headers=headers, timeout=20)


@contextmanager
def connected(description: dict[str, Any]) -> Iterator[LabClient]:
    """Yield a client of the lab that this `lab.json` describes."""
    with trusting_session(description["ca_file"]) as session:
        yield LabClient(description, session)


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    running = running_lab.start_lab(tmp_path_factory.mktemp("lab"), "--port", "0", "--seed", SEED)
    yield running
    assert running.stop(15) == 0
    assert running.errors == ""


@pytest.fixture(scope="session")
def lab(process: LabProcess) -> Iterator[LabClient]:
    with connected(process.description) as client:
        yield client


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., LabProcess]]:
    """Start more labs in the test's own directory, at a free port; labs that run at the end are killed."""
    running: list[LabProcess] = []

    def begin(*arguments: str) -> LabProcess:
        running.append(running_lab.start_lab(tmp_path / "lab", "--port", "0", *arguments))
        return running[-1]

    yield begin
    for item in running:
        if item.popen.poll() is None:
            item.stop(9)


@pytest.fixture
def browser(lab: LabClient) -> Iterator[Pages]:
    """Return a new browser at the running lab."""
    with trusting_session(lab.description["ca_file"]) as session:
        yield Pages(lab.description, session)


@pytest.fixture
def administrator(browser: Pages) -> Pages:
    """Return a browser in which an administrator has signed in to the admin center."""
    assert "/admin/servers" in browser.sign_in("admin@lab.example").address
    return browser
