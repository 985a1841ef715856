"""Multi Admin Approval: changes are sent with a justification, and once more when they are approved.

The id of each approval request is kept in a file until the change is made, so that the same command, run
again, continues. Source: "Use Multi Admin Approval with the Microsoft Graph API".
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Unpack
from urllib.parse import urlsplit

from pydantic import ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError, UsageError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_port import HttpAnswer, HttpPort, RequestOptions
from mstunnel_setup.tenant.approvals import (
    APPROVAL_CANCELLED,
    APPROVAL_EXPIRED,
    APPROVAL_PENDING,
    APPROVAL_REJECTED,
    approval_code,
)
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.token_sources import claims
from mstunnel_setup.tenant.wire_intune import (
    APPROVAL_CODE,
    APPROVAL_JUSTIFICATION,
    OperationApprovalRequest,
)

DIRECTORY: Final = f"{paths.ADMIN_STATE}/approvals"
_CHANGING: Final = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_LONGEST: Final = 1024
_UNKNOWN: Final = "unknown"
# Intune lets a request expire after three days.
_LIFE_SECONDS: Final = 3 * 86400
_ENDED: Final = {
    "rejected": APPROVAL_REJECTED,
    # The documented spelling, and that of the admin center.
    "cancelled": APPROVAL_CANCELLED,
    "canceled": APPROVAL_CANCELLED,
    "expired": APPROVAL_EXPIRED,
}


def _make_directory(files: Files) -> None:
    files.make_directories(paths.ADMIN_STATE, 0o700)
    files.make_directory(DIRECTORY, 0o700)


@dataclass(frozen=True)
class ApprovalHttp:
    """An HTTP client for changes of the tenant that may need an approval.

    `base` is the address of Graph with its version. Without a `justification` no approval is requested.
    """

    http: HttpPort
    base: str
    files: Files
    clock: Clock
    justification: str = ""

    @classmethod
    def of(cls, http: HttpPort, base: str, files: Files, clock: Clock, justification: str) -> "ApprovalHttp":
        """Return a client; with a justification, the directory for approval requests is created.

        So an unwritable directory is reported before an approval is requested whose id could not be kept.
        Raises UsageError for a justification that is too long, FileError.
        """
        if len(justification) > _LONGEST:
            raise UsageError(
                "justification-too-long",
                "the justification has {length} characters",
                hint="Give {longest} at most.",
                length=len(justification),
                longest=_LONGEST,
            )
        if justification:
            _make_directory(files)
        return cls(http, base, files, clock, justification)

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Send one request; a change with its approval, or with the justification that requests one.

        Raises WaitingError while nobody has approved the change, TenantError if the approval request ended,
        StepError if the id of a new one cannot be kept.
        """
        if method not in _CHANGING:
            return self.http.request(method, url, **options)
        headers = options.get("headers") or {}
        place = self._place(method, url, options.get("json"), headers)
        code = self._approved(place, text("{method} {path}", method=method, path=urlsplit(url).path), headers)
        if code:
            options["headers"] = {**headers, APPROVAL_CODE: code}
        elif self.justification:
            encoded = base64.b64encode(self.justification.encode()).decode()
            options["headers"] = {**headers, APPROVAL_JUSTIFICATION: encoded}
        answer = self.http.request(method, url, **options)
        requested = approval_code(answer)
        if is_guid(requested) and requested != code:
            self._keep(place, requested)
        elif code and HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            self.files.remove(place)
        return answer

    def _place(self, method: str, url: str, body: object, headers: Mapping[str, str]) -> str:
        """Return the file for the approval of a change: exactly this request of this account."""
        account = claims(headers.get("Authorization", "").removeprefix("Bearer "))
        change = [method, url, body, account.get("tid"), account.get("oid")]
        digest = hashlib.sha256(json.dumps(change, sort_keys=True).encode()).hexdigest()
        return f"{DIRECTORY}/{digest}.json"

    def _keep(self, place: str, code: str) -> None:
        try:
            _make_directory(self.files)
            self.files.write(place, json.dumps({"approval": code}).encode(), 0o600)
        except FileError as error:
            raise StepError(
                "approval-not-kept",
                "the approval request {approval} was made, but its id cannot be kept: {reason}",
                hint=(
                    "Correct that, cancel the request in the Intune admin center (Tenant administration, "
                    "Multi Admin Approval), then run the command again."
                ),
                approval=code,
                reason=error.message,
            ) from error

    def _approved(self, place: str, request: str, headers: Mapping[str, str]) -> str:
        """Return the kept id of the approval request, or "" if there is none that can still be used."""
        code = self._kept(place)
        if not code:
            return ""
        found = self._status(code, headers)
        if found.status == "needsApproval":
            error = APPROVAL_PENDING(approval=code, request=request)
            error.approval = code
            raise error
        made = self.files.modified(place) or 0.0
        lapsed = found.status == _UNKNOWN and self.clock.now().timestamp() - made > _LIFE_SECONDS
        if found.status in {*_ENDED, "completed"} or lapsed:
            self.files.remove(place)
        if found.status in _ENDED:
            said = plain(found.approval_justification or "", 1024)
            note = text(" ({reason})", reason=said) if said else ""
            raise _ENDED[found.status](approval=code, request=request, note=note)
        return "" if found.status == "completed" or lapsed else code

    def _kept(self, place: str) -> str:
        try:
            document = json_value(self.files.read(place) or b"{}")
        except ValueError:
            return ""
        code = document.get("approval") if isinstance(document, dict) else None
        return code if isinstance(code, str) and is_guid(code) else ""

    def _status(self, code: str, headers: Mapping[str, str]) -> OperationApprovalRequest:
        """Return the approval request; its status is `unknown` if this account may not read it.

        Then the change is sent with its code, and Graph decides, until the request must have expired.
        """
        url = f"{self.base}/deviceManagement/operationApprovalRequests/{code}"
        answer = self.http.request("GET", url, headers=headers, allow_redirects=False)
        try:
            if answer.status_code == HTTPStatus.OK:
                return OperationApprovalRequest.model_validate_json(answer.content)
        except ValidationError:
            pass
        return OperationApprovalRequest()
