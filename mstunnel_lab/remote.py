"""Access of the command line to a running lab: over HTTP, as a person or a device."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import requests
from pydantic import BaseModel, ValidationError

from mstunnel_lab.errors import LAB_TOKEN_FILE
from mstunnel_lab.health import HealthOutput, ReportedHealth
from mstunnel_lab.pki import write_private
from mstunnel_setup.base.errors import NetworkError, SignInError, TenantError, UsageError
from mstunnel_setup.base.parsing import json_value, problem_of
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID

_TIMEOUT_SECONDS: Final = 15


class LabUser(BaseModel, frozen=True, extra="allow"):
    """A user in lab.json."""

    upn: str
    password: str
    mfa_code: str = ""


class LabControl(BaseModel, frozen=True, extra="allow"):
    """The address of the control paths, and their key."""

    address: str
    key: str


class LabFile(BaseModel, frozen=True, extra="allow"):
    """The part of lab.json that these commands use."""

    authority: str
    ca_file: str
    device_client_id: str
    device_login: str
    control: LabControl
    users: tuple[LabUser, ...]

    def user(self, upn: str) -> LabUser:
        """Return a user; raises `UsageError` that lists the existing ones."""
        found = next((user for user in self.users if user.upn == upn.lower()), None)
        if found is None:
            raise UsageError(
                "lab-unknown-user",
                "the lab has no user {upn}",
                hint="Use one of: {known}.",
                upn=upn,
                known=", ".join(user.upn for user in self.users),
            )
        return found


def read_lab_file(directory: Path) -> LabFile:
    """Read lab.json of a running lab; raises `UsageError`."""
    path = directory / "lab.json"
    try:
        return LabFile.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise NetworkError(
            "lab-not-running",
            "no lab is running in {directory}: there is no lab.json",
            hint=("Start it with `mstunnel-lab serve --dir {directory}`, or give its directory with --dir."),
            directory=directory,
        ) from error
    except OSError as error:
        raise UsageError(
            "lab-file-unreadable",
            "cannot read {path}: {reason}",
            hint="Run the command as the user that runs the lab.",
            path=path,
            reason=error.strerror,
        ) from error
    except ValidationError as error:
        raise UsageError(
            "lab-file-invalid",
            "{path} is not the lab.json of a lab",
            hint="Give the directory of a running lab with --dir.",
            path=path,
        ) from error


class _Page(HTMLParser):
    """The hidden fields and the message of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.message = ""
        self._in_message = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in_message = tag == "p" and values.get("role") in {"alert", "status"}
        if values.get("type") == "hidden":
            self.hidden[values.get("name") or ""] = values.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._in_message:
            self.message += data

    def handle_endtag(self, tag: str) -> None:
        self._in_message = self._in_message and tag != "p"


class _Connection:
    """A session with a running lab that trusts only the lab's own authority."""

    def __init__(self, lab: LabFile) -> None:
        self._lab = lab
        self._session = requests.Session()
        # Without this the environment's REQUESTS_CA_BUNDLE would override `verify`.
        self._session.trust_env = False
        self._session.verify = lab.ca_file

    def request(self, method: str, address: str, **content: Any) -> requests.Response:
        """Return the response, whatever its status; raises `NetworkError`."""
        try:
            return self._session.request(method, address, timeout=_TIMEOUT_SECONDS, **content)
        except requests.RequestException as error:
            raise NetworkError(
                "lab-unreachable",
                "the lab does not answer at {address}",
                hint=(
                    "Check that it is still running and that its name resolves here (DNS, /etc/hosts), "
                    "and read its output."
                ),
                address=address,
            ) from error

    def sign_in_page(self, path: str = "", form: dict[str, str] | None = None) -> _Page:
        """Open a page of the device sign-in, or submit a form there; raises `SignInError`."""
        address = self._lab.device_login + path
        answer = self.request("POST" if form else "GET", address, data=form)
        page = _Page(answer.text)
        if not answer.ok:
            raise SignInError(
                "lab-sign-in-refused",
                "the sign-in page reports: {reason}",
                hint="Check the code and the user, then run the command again.",
                reason=page.message or answer.status_code,
            )
        return page


def _json(answer: requests.Response) -> JsonObject:
    try:
        document = json_value(answer.content)
    except ValueError as error:
        raise TenantError(
            "lab-bad-answer",
            "the lab returned HTTP {status} without JSON",
            hint="Read the output of the lab.",
            status=answer.status_code,
        ) from error
    return document if isinstance(document, dict) else {}


def approve(directory: Path, user_code: str, upn: str) -> None:
    """Complete a device sign-in as a user of the lab, through its pages; raises `SetupError`."""
    lab = read_lab_file(directory)
    user, connection = lab.user(upn), _Connection(lab)
    page = connection.sign_in_page()
    page = connection.sign_in_page(form={**page.hidden, "code": user_code})
    fields = {"upn": user.upn, "password": user.password, "decision": "sign-in"}
    page = connection.sign_in_page("/account", {**page.hidden, **fields})
    if "proof" in page.hidden:
        fields = {"verification_code": user.mfa_code, "decision": "sign-in"}
        connection.sign_in_page("/account", {**page.hidden, **fields})


def control(directory: Path, method: str, path: str, document: object = None) -> JsonObject:
    """Send a request to a control path of a running lab; raises `SetupError`."""
    lab = read_lab_file(directory)
    headers = {"Authorization": f"Bearer {lab.control.key}"}
    address = f"{lab.control.address}/{path}"
    answer = _Connection(lab).request(method, address, headers=headers, json=document)
    found = _json(answer)
    if not answer.ok:
        error = found.get("error")
        raise TenantError(
            "lab-control-refused",
            "the lab refused the request: {reason}",
            hint="Correct the request, then run the command again.",
            reason=error.get("message") if isinstance(error, dict) else error,
        )
    return found


def report_health(directory: Path, server: str, path: Path) -> ReportedHealth:
    """Give the lab what `mst-cli health --output json` printed on a server; raises `SetupError`."""
    try:
        health = HealthOutput.model_validate_json(path.read_bytes()).reported()
    except (OSError, ValidationError) as error:
        raise UsageError(
            "lab-report-invalid",
            "{path} is not the output of `mst-cli health --output json`: {reason}",
            hint="Run `mst-cli health --output json` on the server, and give the file with its output.",
            path=path,
            reason=error.strerror if isinstance(error, OSError) else problem_of(error.errors()[0]),
        ) from error
    control(directory, "PATCH", f"servers/{quote(server, safe='')}", health.model_dump(mode="json"))
    return health


def write_token(directory: Path, upn: str, out: Path) -> None:
    """Write a device user's access token for the gateway to a file (0600); raises `SetupError`."""
    lab = read_lab_file(directory)
    user = lab.user(upn)
    form = {
        "grant_type": "password",
        "client_id": lab.device_client_id,
        "username": user.upn,
        "password": user.password,
        "scope": f"{GATEWAY_APP_ID}/.default",
    }
    answer = _Connection(lab).request("POST", f"{lab.authority}/oauth2/v2.0/token", data=form)
    document = _json(answer)
    token = document.get("access_token")
    if not isinstance(token, str):
        raise SignInError(
            "lab-token-refused",
            "the lab issued no token: {reason}",
            hint="Check the user; `mstunnel-lab user` shows and changes it.",
            reason=document.get("error_description", answer.status_code),
        )
    try:
        if out.is_dir():
            raise LAB_TOKEN_FILE(path=out, reason="it is a directory")
        write_private(out, token.encode())
    except OSError as error:
        raise LAB_TOKEN_FILE(path=out, reason=error.strerror) from error
