"""Every refusal of Graph becomes one error with a code, its words and something to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import errors
from mstunnel_setup.tenant.transport import GraphTransport
from mstunnel_setup.tenant.wire import CONFIGURATION_READ_WRITE
from tests.cases import every
from tests.unit.tenant.fakes import FakeHttp, fixed_token, response

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("graph_errors.json").read_text())


@every("case", CASES)
def test_a_refusal_is_explained(case: dict[str, Any]) -> None:
    headers = {"request-id": "abc", **({"Content-Type": case["type"]} if "type" in case else {})}
    http = FakeHttp([response(case["status"], case["body"], headers)])
    transport = GraphTransport(http, "https://graph.example/beta", fixed_token("secret-token"))

    with pytest.raises(getattr(errors, case["kind"])) as caught:
        transport.send("POST", "/things", {"a": 1}, needs=CONFIGURATION_READ_WRITE)

    assert caught.value.code == case["code"]
    assert case["shows"] in caught.value.message
    assert case.get("hints", "") in caught.value.hint
    assert caught.value.hint
    assert "secret-token" not in f"{caught.value.message}{caught.value.hint}"


def test_conditional_access_takes_another_licence_than_intune() -> None:
    refusal = {"error": {"code": "AccessDenied", "message": "The tenant is not licensed: no license."}}
    transport = GraphTransport(
        FakeHttp([response(403, refusal)]), "https://graph.example/beta", fixed_token()
    )
    with pytest.raises(errors.SignInError, match="no licence for Conditional Access") as caught:
        transport.send("GET", "/identity/conditionalAccess/policies")
    assert caught.value.code == "entra-licence-missing"


def test_the_request_id_for_support_is_named() -> None:
    http = FakeHttp(
        [response(409, {"error": {"code": "Conflict", "message": "Exists."}}, {"request-id": "r-1"})]
    )

    with pytest.raises(errors.TenantError, match=r"Exists\. \(request r-1\)"):
        GraphTransport(http, "https://graph.example/beta", fixed_token()).send("POST", "/things")
