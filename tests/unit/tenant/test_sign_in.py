"""Sign-in: refusals are explained, waiting uses our clock, and tokens are not shown."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mstunnel_setup.answers.values import GRAPH_COMMAND_LINE_TOOLS
from mstunnel_setup.base.errors import ExitCode, NetworkError, SetupError, SignInError, WaitingError
from mstunnel_setup.tenant import sign_in_errors
from mstunnel_setup.tenant.client_credential import ClientSecret
from mstunnel_setup.tenant.clouds import CLIENT_ALIASES, cloud
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from mstunnel_setup.tenant.sign_in_errors import sign_in_error
from tests.cases import every
from tests.refusals import refused
from tests.unit.clocks import START, FakeClock
from tests.unit.tenant.fakes import FakeHttp, Reply, jwt, response

REFUSALS = sorted(Path(__file__).with_name("refusals").glob("*.yaml"))
AUTHORITY = "https://login.example/contoso"
INTUNE_ADMINISTRATOR = "3a2c62db-5318-420d-8d74-23affee5d9d5"
DISCOVERY = {
    "issuer": f"{AUTHORITY}/v2.0",
    "authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/authorize",
    "token_endpoint": f"{AUTHORITY}/oauth2/v2.0/token",
    "device_authorization_endpoint": f"{AUTHORITY}/oauth2/v2.0/devicecode",
}
FLOW = {
    "user_code": "ABC\u001b[1mDEF",
    "device_code": "d3vice",
    "verification_uri": "https://login.example/devicelogin",
    "expires_in": 60,
    "interval": 5,
}
PENDING = {"error": "authorization_pending"}


def granted(**claims: object) -> dict[str, object]:
    access = jwt(scp="x", wids=[INTUNE_ADMINISTRATOR], **claims)
    client_info = jwt(uid="u", utid="t").split(".")[1]
    return {
        "token_type": "Bearer",
        "expires_in": 3600,
        "access_token": access,
        "refresh_token": "r3fresh",
        "client_info": client_info,
        "id_token": jwt(sub="s", oid="u", tid="t", preferred_username="ada@contoso.example"),
        "scope": " ".join(f"https://graph.example/{name}" for name in ("A.All", "B.All")),
    }


@dataclass
class Entra:
    """Prepared responses of Entra, and the requests and codes that were seen."""

    http: FakeHttp
    clock: FakeClock = field(default_factory=FakeClock)
    shown: list[DeviceCode] = field(default_factory=list)

    def sign_in(self, client_id: str = "c1ient") -> SignIn:
        authority = cloud("custom", AUTHORITY, "https://graph.example")
        return SignIn(self.http, self.clock, authority, "organizations", client_id)

    def device_code(self) -> str:
        return self.sign_in().device_code(self.shown.append, ("A.All", "B.All"))()


def entra(*replies: Reply | Mapping[str, object]) -> Entra:
    ready = [
        response(400 if "error" in reply else 200, reply) if isinstance(reply, Mapping) else reply
        for reply in replies
    ]
    return Entra(FakeHttp([response(200, DISCOVERY), *ready]))


@every("path", REFUSALS)
def test_refusal_of_entra_is_explained(path: Path) -> None:
    case: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    error = sign_in_error(case["answer"], "https://login.example/contoso/adminconsent?client_id=APP")

    assert error.code == case["code"]
    assert error.exit_code == case["exit_code"]
    assert error.message == case["message"]
    assert error.hint == case["hint"]


def test_missing_consent_without_an_address_ends_the_sign_in() -> None:
    error = sign_in_error({"error": "consent_required"})

    assert (error.code, error.exit_code) == ("application-consent-missing", ExitCode.SIGN_IN)


def test_every_known_refusal_has_a_case() -> None:
    known = {f"AADSTS{key}" if isinstance(key, int) else key for key in sign_in_errors.BY_KEY}
    assert known <= {path.stem for path in REFUSALS}


@pytest.mark.parametrize("code", [65001, 90094])
def test_missing_consent_waits_and_names_the_address(code: int) -> None:
    tenant = entra(FLOW, {"error": "invalid_grant", "error_codes": [code]})

    with pytest.raises(WaitingError) as caught:
        tenant.device_code()

    assert caught.value.exit_code == ExitCode.WAITING
    assert f"{AUTHORITY}/adminconsent?client_id=c1ient" in caught.value.hint


def test_common_application_can_be_given_by_name() -> None:
    tenant = entra(FLOW, granted())
    tenant.sign_in("graph-command-line-tools").device_code(tenant.shown.append, ("A.All",))

    assert tenant.http.calls[1].options["data"]["client_id"] == "14d82eec-204b-4c2f-b7e8-296a70dab67e"
    assert set(CLIENT_ALIASES) == {GRAPH_COMMAND_LINE_TOOLS}


def test_message_of_entra_is_kept_without_trace_ids() -> None:
    error = sign_in_error(
        {"error_description": "AADSTS53003: Blocked.\u001b[2J Trace ID: 1\r\nTimestamp: now"}
    )

    assert error.message.endswith(": AADSTS53003: Blocked.[2J")


def test_device_code_is_shown_and_polled_with_our_clock() -> None:
    tenant = entra(FLOW, PENDING, {"error": "slow_down"}, PENDING, granted())

    token = tenant.device_code()

    (code,) = tenant.shown
    assert (code.url, code.code) == ("https://login.example/devicelogin", "ABC[1mDEF")
    assert code.expires_at == START + timedelta(seconds=60)
    assert tenant.clock.naps == [5, 5, 10, 10]
    assert token == granted()["access_token"]


@pytest.mark.parametrize(
    ("replies", "shown"),
    [
        ([PENDING, {"error": "slow_down"}, granted()], [60, 55, 50, 0]),
        ([{"error": "authorization_declined"}], [60, 0]),
    ],
    ids=["signed in", "declined"],
)
def test_the_remaining_time_is_shown_until_the_wait_ends(
    replies: list[dict[str, object]], shown: list[float]
) -> None:
    tenant, seen = entra(FLOW, *replies), list[float]()
    with suppress(SignInError):
        tenant.sign_in().device_code(tenant.shown.append, ("A.All",), seen.append)
    assert seen == shown


def test_device_sign_in_requests_permissions_of_its_cloud() -> None:
    complete = "https://login.example/devicelogin?code=x"
    tenant = entra({**FLOW, "verification_uri_complete": complete}, granted())
    tenant.device_code()
    asked = tenant.http.calls[1].options["data"]["scope"].split()
    assert {"https://graph.example/A.All", "https://graph.example/B.All", "offline_access"} <= set(asked)
    assert tenant.shown[0].complete_url == complete


@pytest.mark.parametrize(
    ("replies", "code", "waited"),
    [
        ([FLOW, PENDING], "device-code-expired", 60),
        ([{"error": "unauthorized_client", "error_codes": [700016]}], "application-unknown", 0),
        (
            [FLOW, {**granted(), "expires_in": 0}, {"error": "invalid_grant", "error_codes": [700082]}],
            "sign-in-expired",
            5,
        ),
    ],
    ids=["code not used", "code refused", "refresh refused"],
)
def test_failed_sign_in_is_explained(replies: list[dict[str, object]], code: str, waited: int) -> None:
    tenant = entra(*replies)
    with refused(SignInError, code):
        tenant.device_code()
    assert tenant.clock.elapsed == waited


@pytest.mark.parametrize(
    "disturbance",
    [response(503), NetworkError("network-timeout", "slow"), NetworkError("network-unreachable", "gone")],
    ids=["status 503", "timeout", "unreachable"],
)
def test_temporary_failure_does_not_end_the_wait(disturbance: Reply) -> None:
    tenant = entra(FLOW, disturbance, granted())

    assert tenant.device_code() == granted()["access_token"]


@pytest.mark.parametrize("end", [NetworkError("tls-untrusted", "who are you"), KeyboardInterrupt()])
def test_permanent_failure_or_control_c_ends_the_wait(end: BaseException) -> None:
    with pytest.raises(type(end)) as caught:
        entra(FLOW, end).device_code()
    assert caught.value is end


def test_missing_role_in_the_token_is_left_to_graph() -> None:
    answer = granted() | {"access_token": jwt(scp="x", wids=["other"], upn="rolf@contoso.example")}
    tenant = entra(FLOW, answer)
    assert tenant.sign_in().device_code(tenant.shown.append)() == answer["access_token"]


def test_token_is_cached_until_it_expires_and_never_shown() -> None:
    tenant = entra({"token_type": "Bearer", "expires_in": 3600, "access_token": "app-token"})
    sign_in = tenant.sign_in()
    source = sign_in.application(ClientSecret("s3cret"))
    assert source() == source() == "app-token"
    assert len(tenant.http.calls) == 2
    assert "s3cret" not in f"{sign_in!r}{source!r}"
    assert "app-token" not in f"{sign_in!r}{source!r}"


def test_wrong_secret_and_missing_tenant_are_reported() -> None:
    with refused(SignInError, "secret-wrong"):
        entra({"error": "invalid_client", "error_codes": [7000215]}).sign_in().application(ClientSecret("no"))
    http = FakeHttp()
    with refused(SignInError, "tenant-missing"):
        SignIn(http, FakeClock(), cloud("public"), "organizations", "c1ient").application(
            ClientSecret("s3cret")
        )
    assert http.calls == []


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (
            lambda: response(400, {"error": "invalid_tenant", "error_codes": [90002]}),
            SignInError,
            "wrong-tenant",
        ),
        (lambda: response(404, {"error": "x"}), SignInError, "sign-in-failed"),
        (lambda: response(200, {}), SignInError, "authority-unusable"),
        (lambda: response(503), SignInError, "sign-in-unavailable"),
        (lambda: response(200, "<html>Hotel</html>"), NetworkError, "answer-not-entra"),
    ],
    ids=["unknown tenant", "refused", "no endpoints", "status 503", "captive portal"],
)
def test_invalid_response_of_an_authority_is_reported(
    reply: Callable[[], Any], kind: type[SetupError], code: str
) -> None:
    tenant = Entra(FakeHttp([reply]))

    with refused(kind, code) as caught:
        tenant.device_code()
    assert caught.value.hint
