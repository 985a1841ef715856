"""The values that declaration keys accept, as cases; every key has one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from mst_admin.apply import parse_declarations
from mst_admin.metrics import ThresholdObject
from mst_admin.objects.configuration import ConfigurationObject
from mst_admin.objects.profile import AppObject, ProfileObject, ProxyObject, RuleObject
from mst_admin.objects.site import SiteObject, WindowObject
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.bodies import Body, judge
from mstunnel_lab.graph.tunnel import ConfigurationBody, SiteBody, ThresholdBody
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.tenant.wire import wire_name
from tests.cases import every

HERE = Path(__file__).parent
CASES = YAML(typ="safe").load((HERE / "fields.yaml").read_text(encoding="utf-8"))
VALID: dict[str, dict[str, Any]] = {
    "configurations": {"name": "Main", "network": "169.254.0.0/16"},
    "sites": {"name": "Berlin", "public_address": "gw.contoso.com", "configuration": "Main"},
    "thresholds": {"metric": "cpuUsage", "healthy": 50, "unhealthy": 75},
    "profiles": {
        "platform": "android-work-profile",
        "name": "Tunnel",
        "connection_name": "Contoso",
        "site": "Berlin",
    },
}
MODELS = (
    ConfigurationObject,
    SiteObject,
    WindowObject,
    ThresholdObject,
    ProfileObject,
    ProxyObject,
    AppObject,
    RuleObject,
)
KEYS = sorted({name for model in MODELS for name in model.model_fields})


BODIES: dict[str, type[Body]] = {
    "configurations": ConfigurationBody,
    "sites": SiteBody,
    "thresholds": ThresholdBody,
}
RENAMED = {
    "name": "displayName",
    "metric": "id",
    "healthy": "healthyThreshold",
    "unhealthy": "unhealthyThreshold",
}
OF_DECLARATIONS = {"configuration", "session_timeout", "upgrade_window", "metric"}
"""Keys that have another form or meaning in Graph."""
ON_THE_WIRE = [
    case
    for case in CASES
    if case["in"] in BODIES and OF_DECLARATIONS.isdisjoint({*case.get("with", ()), case.get("without")})
]


def _values(case: dict[str, Any]) -> dict[str, Any]:
    values = {**VALID[case["in"]], **case.get("with", {})}
    if "long" in case:
        values[case["long"]] = "x" * 1501
    values.pop(case.get("without", ""), None)
    return values


def _declarations(case: dict[str, Any]) -> bytes:
    return json.dumps({"version": 1, case["in"]: [_values(case)]}).encode()


@every("case", CASES)
def test_a_value_is_taken_or_refused_where_it_stands(case: dict[str, Any]) -> None:
    if "refused" not in case:
        assert parse_declarations([("d.yaml", _declarations(case))])
        return
    with pytest.raises(UsageError) as caught:
        parse_declarations([("d.yaml", _declarations(case))])
    (line,) = caught.value.message.splitlines()
    assert re.match(r"d\.yaml:1:\d+: ", line)
    assert case["refused"] in line


@every("case", ON_THE_WIRE)
def test_the_lab_takes_or_refuses_it_too(case: dict[str, Any]) -> None:
    body = {RENAMED.get(key) or wire_name(key): value for key, value in _values(case).items()}
    body.pop("configuration", None)
    try:
        judge(BODIES[case["in"]], body)
        refused = False
    except GraphError:
        refused = True
    assert refused is ("refused" in case)


@every("key", KEYS)
def test_every_key_has_a_case(key: str) -> None:
    fixtures = [HERE / "fields.yaml", HERE / "rules.yaml", HERE / "profiles" / "rules.yaml"]
    text = "".join(path.read_text(encoding="utf-8") for path in fixtures)
    assert re.search(rf"[{{ ]{key}(: |[,}}\]])", text)
