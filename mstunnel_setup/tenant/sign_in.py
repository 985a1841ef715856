"""Sign-in to Entra with MSAL: device code for people, secret or certificate for applications.

MSAL uses our HTTP session and contacts no host but the authority. Tokens stay in its memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar, Unpack
from urllib.parse import urlsplit

import msal

from mstunnel_setup.base.errors import NetworkError, SetupError, SignInError, declare
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_port import HttpAnswer, HttpPort, RequestOptions
from mstunnel_setup.tenant.client_credential import ClientSecret, Credential, client_assertion
from mstunnel_setup.tenant.clouds import ANY_TENANT, CLIENT_ALIASES, Cloud
from mstunnel_setup.tenant.sign_in_errors import sign_in_error
from mstunnel_setup.tenant.token_sources import TokenSource
from mstunnel_setup.tenant.transport import json_object
from mstunnel_setup.tenant.wire import (
    APP_ROLE_ASSIGNMENT_READ_WRITE,
    APPLICATION_READ_WRITE,
    CONFIGURATION_READ_WRITE,
)

SETUP_PERMISSIONS: Final = (
    CONFIGURATION_READ_WRITE,
    APPLICATION_READ_WRITE,
    APP_ROLE_ASSIGNMENT_READ_WRITE,
)
"""Delegated permissions that an installation needs."""

PREPARED_PERMISSIONS: Final = (CONFIGURATION_READ_WRITE,)
"""The permissions for a server whose own identity was created in advance."""

DEVICE_CODE_UNREADABLE = declare(
    NetworkError,
    "device-code-unreadable",
    "the response to the device code request cannot be read: {reason}",
    "Check tenant.authority, and any proxy between this host and the sign-in address.",
)
MsalApplication = TypeVar("MsalApplication", bound=msal.ClientApplication)
_LONGEST_SIGN_IN: Final = 3600
_LONGEST_PAUSE: Final = 60
_TEMPORARY: Final = frozenset({"network-timeout", "network-unreachable", "sign-in-unavailable"})


@dataclass(frozen=True)
class DeviceCode:
    """A sign-in prompt: open `url`, enter `code`, before `expires_at` (UTC).

    `complete_url` includes the code (RFC 8628, 3.3.1); empty if there is none.
    """

    url: str
    code: str
    expires_at: datetime
    complete_url: str = ""


@dataclass(frozen=True)
class SignIn:
    """Signs in to `tenant` (id, domain, or "organizations") of `cloud` as the application `client_id`.

    `client_id` may be one of CLIENT_ALIASES. A refusal by Entra raises SignInError, or WaitingError
    `consent-missing` with the address for an administrator's consent.
    """

    http: HttpPort = field(repr=False)
    clock: Clock = field(repr=False)
    cloud: Cloud
    tenant: str
    client_id: str

    def device_code(
        self,
        show: Callable[[DeviceCode], None],
        permissions: Sequence[str] = SETUP_PERMISSIONS,
        waiting: Callable[[float], None] = lambda _seconds_left: None,
    ) -> TokenSource:
        """Let a person sign in on another device; `show` is called once, then this waits.

        `waiting` is called with the remaining seconds before every poll, and with 0 at the end.

        Waiting ends with the person's response, when the code expires, or with KeyboardInterrupt. Raises
        SignInError. The person's roles are not checked here: Graph refuses what they do not allow.
        """
        scopes = [f"{self.cloud.graph}/{permission}" for permission in permissions]
        application = self._opened(msal.PublicClientApplication)
        flow = _start_flow(application, scopes)
        if "user_code" not in flow:
            raise self._refusal(flow)
        url = plain(flow.get("verification_uri") or self.cloud.device_login)
        user_code = plain(flow["user_code"], 40)
        code = DeviceCode(
            url,
            user_code,
            self.clock.now() + timedelta(seconds=_number(flow, "expires_in")),
            plain(flow.get("verification_uri_complete") or ""),
        )
        show(code)
        try:
            self._token(self._wait(application, flow, code.expires_at, waiting))
        finally:
            waiting(0)
        account = next(iter(application.get_accounts()), None)
        return lambda: self._token(application.acquire_token_silent_with_error(scopes, account=account))

    def application(self, credential: Credential | ClientSecret) -> TokenSource:
        """Sign in as the application itself with its certificate or secret. Raises SignInError."""
        authority = self.cloud.authority_of(self.tenant)
        if authority.rpartition("/")[2] in ANY_TENANT:
            raise SignInError(
                "tenant-missing",
                "an application must sign in to one tenant, and tenant.id does not name one",
                hint="Set tenant.id to the id or domain of the tenant.",
            )

        def assertion(certified: Credential) -> str:
            endpoint = str(application.authority.token_endpoint)
            return client_assertion(certified, self._application_id, endpoint, self.clock.now())

        given: object
        if isinstance(credential, ClientSecret):
            given = credential.text
        else:
            given = {"client_assertion": partial(assertion, credential)}
        application = self._opened(msal.ConfidentialClientApplication, client_credential=given)
        scopes = [f"{self.cloud.graph}/.default"]

        def token() -> str:
            return self._token(application.acquire_token_for_client(scopes))

        token()
        return token

    def _opened(self, kind: Callable[..., MsalApplication], **options: object) -> MsalApplication:
        """Create an MSAL application, which reads the authority's metadata and fails on it in many ways."""
        authority = self.cloud.authority_of(self.tenant)
        try:
            return kind(
                self._application_id,
                authority=authority,
                instance_discovery=False,
                http_client=_Endpoint(self.http, authority),
                **options,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SignInError(
                "authority-unusable",
                "the sign-in address cannot be used: {reason}",
                hint="Check tenant.id, tenant.cloud and tenant.authority.",
                reason=plain(error),
            ) from error

    @property
    def _application_id(self) -> str:
        return CLIENT_ALIASES.get(self.client_id, self.client_id)

    def _refusal(self, answer: JsonObject) -> SetupError:
        return sign_in_error(answer, self.cloud.consent_address(self.tenant, self._application_id))

    def _token(self, answer: JsonObject | None) -> str:
        if answer is None:
            raise sign_in_error({"error": "invalid_grant", "error_codes": [700082]})
        if "access_token" not in answer:
            raise self._refusal(answer)
        return str(answer["access_token"])

    def _wait(
        self,
        application: msal.PublicClientApplication,
        flow: JsonObject,
        expires_at: datetime,
        waiting: Callable[[float], None],
    ) -> JsonObject:
        """Poll until there is a response; the waiting is done here, on our clock, not in MSAL.

        A temporary failure counts as "not yet": the person may still be signing in.
        """
        while (left := (expires_at - self.clock.now()).total_seconds()) > 0:
            waiting(left)
            self.clock.sleep(_number(flow, "interval"))
            flow.pop("latest_attempt_at", None)  # MSAL warns by its own clock
            try:
                answer = dict(
                    application.acquire_token_by_device_flow(flow, exit_condition=lambda _flow: True)
                )
            except (NetworkError, SignInError) as error:
                if error.code not in _TEMPORARY:
                    raise
                continue
            if answer.get("error") not in {"authorization_pending", "slow_down"}:
                return answer
        return {"error": "expired_token"}


class _Endpoint:
    """MSAL's `http_client` on our session. Only JSON responses reach MSAL, which would log any other body.

    It contacts only the host of `authority`: the requests contain secrets, and metadata may name any host.
    """

    def __init__(self, http: HttpPort, authority: str) -> None:
        self._http = http
        self._host = urlsplit(authority).hostname

    def get(self, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        response = self._requested("GET", url, options)
        if response.status_code != HTTPStatus.OK:
            raise sign_in_error(json_object(response) or {})
        return response

    def post(self, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        return self._requested("POST", url, options)

    def close(self) -> None:
        """Leave the session open, because MSAL does not own it."""

    def _requested(self, method: str, url: str, options: RequestOptions) -> HttpAnswer:
        try:
            parts = urlsplit(str(url))
            same = parts.scheme == "https" and parts.hostname == self._host
        except ValueError:
            same = False
        if not same:
            raise SignInError(
                "authority-mismatch",
                "the metadata of {host} names an endpoint on another host: {url}",
                hint="Check tenant.authority, and any proxy between this host and the sign-in address.",
                host=self._host,
                url=plain(url, 120),
            )
        host = urlsplit(url).netloc
        response = self._http.request(method, url, **options)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SignInError(
                "sign-in-unavailable",
                "{host} returned HTTP {status}",
                hint="Wait a few minutes, then run the command again.",
                host=host,
                status=response.status_code,
            )
        if json_object(response) is None:
            raise NetworkError(
                "answer-not-entra",
                "{host} returned HTTP {status} without JSON: this is not Entra",
                hint=(
                    "A captive portal, web filter or proxy answers instead: allow this host there, or "
                    "check https_proxy, no_proxy and tenant.authority."
                ),
                host=host,
                status=response.status_code,
            )
        return response


def _start_flow(application: msal.PublicClientApplication, scopes: Sequence[str]) -> JsonObject:
    """Start a sign-in by device code, with its times limited to an hour and a minute, in whole seconds.

    They are changed in the flow itself: MSAL never returns for an interval below 1.
    """
    try:
        flow: JsonObject = dict(application.initiate_device_flow(scopes=scopes))
    except (TypeError, ValueError, OverflowError) as error:
        raise DEVICE_CODE_UNREADABLE(reason=plain(error)) from error
    if "user_code" in flow:
        flow["expires_in"] = min(_number(flow, "expires_in"), _LONGEST_SIGN_IN)
        flow["interval"] = min(max(_number(flow, "interval"), 1), _LONGEST_PAUSE)
    return flow


def _number(flow: JsonObject, name: str) -> int:
    found = flow[name]
    if not isinstance(found, int):
        raise DEVICE_CODE_UNREADABLE(reason=text("{name} is not a whole number", name=name))
    return found
