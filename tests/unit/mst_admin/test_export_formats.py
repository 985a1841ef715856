"""Exports for Terraform and Microsoft365DSC, read back by parsers that are not ours where there are any."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest

from mst_admin.hcl import block
from mst_admin.powershell import block as powershell_block
from tests.unit.hostile import HOSTILE
from tests.unit.mst_admin import dsc
from tests.unit.mst_admin.labs import Answer, MstAdmin, Tenant, root_file

NAME = "Android \u2019${x} `$y"
PROFILES = """\
version: 1
profiles:
  - platform: android-work-profile
    name: NAME
    description: "Don't \\"quote\\" %{z}"
    connection_name: Contoso
    site: 東京
    always_on: true
    apps: [{id: com.microsoft.emmx, name: Edge, publisher: Microsoft}]
    proxy: {address: proxy.contoso.com, port: 3128}
    groups: [11111111-2222-3333-4444-555555555555]
  - platform: ios
    name: iPhone
    connection_name: Contoso
    site: Berlin
    apps: [{id: com.contoso.app, name: App, publisher: Contoso, store_url: "https://apps.apple.com/app/id1"}]
    per_app: true
    groups: [11111111-2222-3333-4444-555555555555]
    trusted_root: ROOT
"""


@pytest.fixture
def exported(
    command: Callable[[Tenant], MstAdmin], tenant: Tenant, tmp_path: Path
) -> Iterator[Callable[[str], tuple[Answer, Path]]]:
    """Export the lab, with profiles, in a format."""
    admin, source = command(tenant), tmp_path / "source"
    source.mkdir()
    text = PROFILES.replace("NAME", NAME).replace("ROOT", str(root_file(tmp_path)))
    (source / "tenant.yaml").write_text(text, encoding="utf-8")
    applied = admin("apply", str(source), "--no-resolve")
    assert applied.code == 0, applied.message

    def export(wanted: str) -> tuple[Answer, Path]:
        target = tmp_path / wanted
        return admin("export", str(target), "--format", wanted), target

    yield export
    for name in (NAME, "iPhone"):
        admin("profile", "delete", name, "--yes")


def text_of(value: Any) -> Any:
    """A value of HCL as Terraform sees it: strings without quotes and escapes, references as they are."""
    if isinstance(value, dict):
        return {
            text_of(name): text_of(item) for name, item in value.items() if not str(name).startswith("__")
        }
    if isinstance(value, list):
        return [text_of(item) for item in value]
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value).replace("$${", "${").replace("%%{", "%{")
    return value


def blocks(path: Path, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hcl2.loads(path.read_text(encoding="utf-8"))[kind]
    return [text_of(item) for item in found]


def resources(path: Path, kind: str) -> dict[str, dict[str, Any]]:
    """The resources of one type by their labels."""
    return {label: body for item in blocks(path, "resource") for label, body in item.get(kind, {}).items()}


def test_terraform_gets_every_object_with_references_instead_of_ids(
    exported: Callable[[str], tuple[Answer, Path]], tenant: Tenant
) -> None:
    answer, target = exported("terraform")
    assert (answer.code, answer.data["files"], answer.codes()) == (0, ["import.tf", "tenant.tf"], [])
    found = resources(target / "tenant.tf", "msgraph_resource")
    main = found["configuration_main"]
    assert (main["url"], main["api_version"]) == ("deviceManagement/microsoftTunnelConfigurations", "beta")
    (wanted,) = tenant.graph().configurations("Main")
    assert main["body"]["routeIncludes"] == list(wanted.route_includes)
    assert main["body"]["advancedSettings"] == [
        {"name": item.name, "value": item.value} for item in wanted.advanced_settings
    ]
    assert found["site_berlin"]["body"]["microsoftTunnelConfiguration"] == {
        "id": "${msgraph_resource.configuration_main.id}"
    }
    android = found["profile_android_x_y"]["body"]
    assert android["displayName"] == NAME
    assert android["description"] == 'Don\'t "quote" %{z}'
    assert android["microsoftTunnelSiteId"] == "${msgraph_resource.site.id}"
    assert found["site"]["body"]["displayName"] == "東京"
    (site,) = tenant.graph().site_list("Berlin")
    text = (target / "tenant.tf").read_text(encoding="utf-8")
    assert site.id not in text
    assigned = resources(target / "tenant.tf", "msgraph_resource_action")["profile_iphone_assign"]
    assert assigned["resource_url"] == (
        "deviceManagement/deviceConfigurations/${msgraph_resource.profile_iphone.id}"
    )
    assert [item["target"]["groupId"] for item in assigned["body"]["assignments"]] == [
        "11111111-2222-3333-4444-555555555555"
    ]


def test_terraform_takes_over_what_is_there_and_nothing_is_referred_to_that_is_not(
    exported: Callable[[str], tuple[Answer, Path]], tenant: Tenant
) -> None:
    _answer, target = exported("terraform")
    known = {
        f"${{msgraph_resource.{label}}}" for label in resources(target / "tenant.tf", "msgraph_resource")
    }
    imports = blocks(target / "import.tf", "import")
    assert {item["to"] for item in imports} == known
    (site,) = tenant.graph().site_list("Berlin")
    (of_berlin,) = (item["id"] for item in imports if item["to"].endswith("site_berlin}"))
    path, _, names = of_berlin.partition("?api-version=beta&importProperties=")
    assert path == f"/deviceManagement/microsoftTunnelSites/{site.id}"
    assert {"displayName", "publicAddress"} <= set(names.split(","))
    assert not {"id", "microsoftTunnelConfiguration"} & set(names.split(","))


def test_microsoft365dsc_gets_what_it_has_resources_for_and_the_rest_is_named(
    exported: Callable[[str], tuple[Answer, Path]],
) -> None:
    answer, target = exported("m365dsc")
    assert (answer.code, answer.data["files"]) == (0, ["tenant.ps1"])
    messages = [notice["message"] for notice in answer.envelope["warnings"]]
    assert "the export has no sites (2 in the tenant): Microsoft365DSC has no resource for them" in messages
    assert "iPhone: IntuneVPNConfigurationPolicyIOS has no targetedMobileApps" in messages
    found = {
        name: (kind, properties) for kind, name, properties in dsc.read((target / "tenant.ps1").read_text())
    }
    assert {name: kind for name, (kind, _) in found.items()} == {
        NAME: "IntuneVPNConfigurationPolicyAndroidWork",
        "iPhone": "IntuneVPNConfigurationPolicyIOS",
        "iPhone (trusted root)": "IntuneTrustedRootCertificateIOS",
    }
    android = found[NAME][1]
    assert android["Description"] == 'Don\'t "quote" %{z}'
    assert (android["alwaysOn"], android["Ensure"], android["TenantId"]) == (True, "Present", "$TenantId")
    assert android["proxyServer"] == [
        {"": "MSFT_MicrosoftvpnProxyServer", "address": "proxy.contoso.com", "port": 3128}
    ]
    assert android["Assignments"] == [
        {
            "": "MSFT_DeviceManagementConfigurationPolicyAssignments",
            "dataType": "#microsoft.graph.groupAssignmentTarget",
            "groupId": "11111111-2222-3333-4444-555555555555",
            "deviceAndAppManagementAssignmentFilterType": "none",
        }
    ]


def test_files_of_the_same_format_are_not_overwritten(
    exported: Callable[[str], tuple[Answer, Path]],
) -> None:
    assert exported("terraform")[0].code == 0
    assert exported("terraform")[0].codes("errors") == ["export-exists"]
    (exported("m365dsc")[1] / "other.ps1").write_text("# mine\n")
    assert "other.ps1" in exported("m365dsc")[0].message


@pytest.mark.parametrize(
    "value", [HOSTILE, "${a}", "%{b}", "$${c}", "line\nline\t\b\f\x7f", "😀 é", "\\", '"']
)
def test_any_text_comes_back_from_both_languages(value: str) -> None:
    hcl = "\n".join(block('resource "a" "b"', {"body": {value or "x": value, "y": [value]}})) + "\n"
    (found,) = hcl2.loads(hcl)["resource"]
    assert text_of(found)["a"]["b"]["body"] == {value: value, "y": [value]}
    lines = [
        *("Configuration A {", "param(", ")", "Import-DscResource -ModuleName Microsoft365DSC"),
        *(
            "Node localhost",
            "{",
            *powershell_block("Kind 'x'", {"y": value, "z": [value, value]}, ""),
            "}",
            "}",
        ),
    ]
    assert dsc.read("\n".join(lines)) == [("Kind", "x", {"y": value, "z": [value, value]})]


def test_the_reader_of_powershell_can_refuse() -> None:
    text = "Configuration A {\nparam(\n)\nImport-DscResource -ModuleName Microsoft365DSC\nNode localhost\n{\n"
    with pytest.raises(AssertionError):
        dsc.read(f"{text}Kind 'x' {{ y = 'it's'; }}\n}}\n}}\n")
