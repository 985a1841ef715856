"""Tables of declarations in YAML, each with the codes of the expected findings."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mst_admin.objects.profile import ProfileObject
from mstunnel_setup.answers.finding import Finding

GROUP = "11111111-2222-3333-4444-555555555555"
PROFILE = {"name": "Tunnel", "connection_name": "Contoso", "site": "Berlin"}


def table(module: str, name: str) -> list[dict[str, Any]]:
    """Read the cases of the file `name` beside a module."""
    found: list[dict[str, Any]] = YAML(typ="safe").load(Path(module).with_name(name).read_text("utf-8"))
    return found


def check_codes(case: dict[str, Any], findings: Iterable[Finding]) -> None:
    """Check the codes of errors of a case, and of its warnings if it lists them."""
    found = list(findings)
    assert {item.code for item in found if item.fatal} == set(case.get("refused", ()))
    if "codes" in case:
        assert [item.code for item in found if not item.fatal] == case["codes"]
    assert all(item.hint.endswith(".") for item in found)


def profiles(case: dict[str, Any], key: str, **base: Any) -> list[ProfileObject]:
    """Return the VPN profile that is declared with the object of a case, if any."""
    return [ProfileObject.model_validate({**PROFILE, **base, **case[key]})] if key in case else []
