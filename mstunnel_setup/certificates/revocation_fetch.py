"""Fetch what responders and revocation lists answer, over HTTP."""

from http import HTTPStatus

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.certificates.revocation import Fetch
from mstunnel_setup.io.http import HttpSession


def fetching(http: HttpSession) -> Fetch:
    """How `tls.revocation` fetches: any other status than 200 is no answer. Raises NetworkError."""

    def fetch(address: str, body: bytes | None) -> bytes:
        if body is None:
            response = http.get(address)
        else:
            headers = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}
            response = http.post(address, data=body, headers=headers)
        if response.status_code != HTTPStatus.OK:
            raise NetworkError(
                "revocation-refused",
                "the answer has HTTP status {status}",
                status=response.status_code,
            )
        return response.content

    return fetch
