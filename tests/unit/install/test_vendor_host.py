"""A host with Microsoft's gateway: an installation is refused, and `adopt` only inspects it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.adopt.inventory import take_inventory
from mstunnel_setup.adopt.plan import assess, inventory
from mstunnel_setup.adopt.switch import Adoption, carried_over
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from tests.refusals import refused
from tests.unit.certificates.pki import Pki
from tests.unit.install.scenes import Scene, tree
from tests.unit.operators import operator_of
from tests.unit.schemas import validate
from tests.unit.vendor import AGENT_SETTINGS, TENANT, engine, lay_down

CERTIFICATE = "etc/mstunnel/certs/active.crt"


@pytest.fixture
def host(scene: Scene) -> Path:
    lay_down(scene.root)
    (scene.root / "var/log").mkdir(parents=True)
    return scene.root


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(host: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Yield a function that runs mstunnel-setup; check at the end that the host is unchanged."""
    before = tree(host)

    def work(*arguments: str, code: int = 0) -> dict[str, Any]:
        options = ["--unattended", "--output", "json", "--root", str(host)]
        assert run_app(setup.app, "mstunnel-setup", [*arguments, *options]) == code
        envelope: dict[str, Any] = json.loads(capsys.readouterr().out)
        validate(envelope)
        return envelope

    yield work
    assert tree(host) == before


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--accept-eula"], ["plan"], ["step", "eula"], ["step", "kernel"]),
        ["--accept-eula", "--ignore-check", "vendor-gateway"],
    ],
)
def test_an_installation_is_refused_before_its_first_change(run: Run, arguments: list[str]) -> None:
    (error,) = run(*arguments, code=3)["errors"]

    assert error["code"] == "vendor-installed"
    assert "/usr/sbin/mst-cli" in error["message"]
    assert "mstunnel-setup adopt plan" in error["hint"]


def test_inventory_lists_file_metadata_and_no_secrets(run: Run, host: Path) -> None:
    envelope = run("adopt", "inventory")

    files = {item["path"]: item for item in envelope["data"]["files"]}
    assert files["/etc/mstunnel/private/active.key"]["mode"] == "0770"
    assert len(files["/etc/mstunnel/private/agent.p12"]["sha256"]) == 64
    assert envelope["data"]["gateway"]["session-timeout"] == "43200"
    assert [line for _path, line in envelope["data"]["cron"]] == ["@reboot root mst-cli server restart"]
    shown = json.dumps(envelope)
    assert "hunter22" not in shown
    assert "PRIVATE KEY" not in shown


def test_the_inventory_is_for_hosts_of_the_vendor(scene: Scene) -> None:
    (scene.root / "var/log").mkdir(parents=True)
    with refused(UsageError, "vendor-missing"):
        inventory(operator_of(scene.root))


def assessed(scene: Scene, **given: Any) -> Any:
    return assess(take_inventory(scene.opened().host), given)


@pytest.fixture
def vendor_host(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return the vendor's host with its containers, on a machine that trusts the certificate's CA."""
    monkeypatch.setattr("mstunnel_setup.io.files.Files.live", True)
    lay_down(scene.root)
    scene.processes = engine()
    scene.trusted = (Pki().certificate("root"),)
    return scene


def test_certificate_site_tenant_and_settings_are_carried_over(vendor_host: Scene) -> None:
    found = assessed(vendor_host)

    assert found.blockers == ()
    assert found.answers == {
        "site": AGENT_SETTINGS["SiteId"],
        "tenant.id": TENANT,
        "environment": {"TRACE_SESSIONS": "1"},
    }
    carried = {item.subject for item in found.items if item.fate == "carried"}
    assert {"certificate", "site", "server configuration", "TRACE_SESSIONS in env.sh"} == carried


def test_answer_variables_replace_only_those_of_the_same_name(vendor_host: Scene) -> None:
    given = {"HTTPS_PROXY": "http://proxy.example.com:3128", "debug_level": "2"}
    agreed = Adoption(
        digest="",
        answers={
            "site": "of-the-vendor",
            "environment": {"TRACE_SESSIONS": "1", "https_proxy": "http://old.example.com:3128"},
        },
    )

    assert carried_over(agreed, merge({"site": "Berlin", "environment": given}, {})) == {
        "environment": {"TRACE_SESSIONS": "1", **given}
    }
    assert carried_over(agreed, merge({}, {})) == agreed.answers

    found = assessed(vendor_host, environment={"TRACE_SESSIONS": "2"})
    fates = [item.fate for item in found.items if item.subject == "TRACE_SESSIONS in env.sh"]
    assert fates == ["changed"]


def test_every_loss_is_named(vendor_host: Scene) -> None:
    lost = {item.subject: item.detail for item in assessed(vendor_host).items if item.fate == "lost"}

    assert lost["https_proxy in env.sh"] == "it holds a password"
    assert {"sessions", "agent's identity", "record in the tenant"} <= set(lost)


def test_plan_lists_the_trusted_roots_that_adoption_copies(vendor_host: Scene) -> None:
    places = [f"/etc/mstunnel/ca-trust/{name}" for name in ("one.crt", "two.pem")]
    for place in places:
        vendor_host.write(place, Pki().pem("root"))

    found = [(item.fate, item.subject, item.detail) for item in assessed(vendor_host).items]

    assert ("carried", "trusted root", places[0]) in found
    assert ("lost", places[1], "not copied: its name does not end in .crt") in found
    assert [place for _fate, *shown in found for place in places if place in shown] == places


def test_files_programs_units_and_containers_are_set_aside(vendor_host: Scene) -> None:
    changed = {item.subject: item.detail for item in assessed(vendor_host).items if item.fate == "changed"}

    assert changed["/etc/mstunnel"] == "moved to /etc/mstunnel.vendor"
    assert changed["/usr/sbin/mst-cli"] == "moved to /usr/sbin/mst-cli.vendor"
    assert "kept as mstunnel-server.vendor" in changed["podman container mstunnel-server"]
    assert "43200 today" in changed["session-timeout in ocserv.conf"]


def codes(found: Any) -> list[str]:
    return [error.code for error in found.blockers]


@pytest.mark.parametrize("why", ["unusable", "expired", "missing"])
def test_a_certificate_that_cannot_be_used_blocks(vendor_host: Scene, why: str) -> None:
    if why == "unusable":
        (vendor_host.root / CERTIFICATE).write_bytes(Pki({"leaf": {"key": "p384/other"}}).pem("leaf"))
    elif why == "expired":
        vendor_host.clock.sleep(100 * 86400)
    else:
        (vendor_host.root / CERTIFICATE).unlink()
    code = "vendor-certificate-missing" if why == "missing" else "vendor-certificate-unusable"
    assert codes(assessed(vendor_host)) == [code]


def test_certificate_in_the_answers_replaces_the_vendors(vendor_host: Scene) -> None:
    (vendor_host.root / CERTIFICATE).unlink()

    found = assessed(vendor_host, **{"certificate.pfx": "/root/site.pfx"})

    assert codes(found) == []
    assert [item.fate for item in found.items if item.subject == "certificate"] == ["changed"]


def test_a_link_into_the_folder_of_an_acme_client_is_followed(vendor_host: Scene) -> None:
    place = vendor_host.root / "root/.acme.sh/site.crt"
    place.parent.mkdir(parents=True)
    (vendor_host.root / CERTIFICATE).rename(place)
    (vendor_host.root / CERTIFICATE).symlink_to("/root/.acme.sh/site.crt")

    found = take_inventory(vendor_host.opened().host).certificate
    assert (found.chain, found.problems) == ("/root/.acme.sh/site.crt", ())


def test_leftovers_of_an_earlier_adoption_block(vendor_host: Scene) -> None:
    found = assess(take_inventory(vendor_host.opened().host), {}, ("/etc/mstunnel.vendor",))

    assert codes(found) == ["vendor-aside-occupied"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (CERTIFICATE, b"another"),
        ("etc/mstunnel/env.sh", b"TRACE_SESSIONS=2\n"),
        ("etc/mstunnel/ca-trust/new.crt", b"root"),
        ("usr/sbin/mst-cli.new", None),
    ],
)
def test_plan_digest_changes_with_its_inputs(vendor_host: Scene, path: str, content: bytes | None) -> None:
    before = take_inventory(vendor_host.opened().host).digest
    if content is None:
        (vendor_host.root / "usr/sbin/mst-cli").unlink()
    else:
        (vendor_host.root / path).parent.mkdir(exist_ok=True)
        (vendor_host.root / path).write_bytes(content)

    assert take_inventory(vendor_host.opened().host).digest != before


def test_the_digest_stays_while_the_agent_of_the_vendor_works(vendor_host: Scene) -> None:
    before = take_inventory(vendor_host.opened().host).digest
    (vendor_host.root / "etc/mstunnel/messages/in").mkdir(parents=True)
    (vendor_host.root / "etc/mstunnel/messages/in/1.json").write_text("{}")
    healthy = {**AGENT_SETTINGS, "CurrentServerHealthStatus": 1}
    (vendor_host.root / "etc/mstunnel/AgentSettings.json").write_text(json.dumps(healthy))

    assert take_inventory(vendor_host.opened().host).digest == before


def test_a_plan_that_is_blocked_ends_with_3_and_says_why(run: Run) -> None:
    """By this machine's clock the certificate has expired or is not yet valid."""
    envelope = run("adopt", "plan", code=3)

    assert envelope["data"]["blocked"]
    assert [error["code"] for error in envelope["errors"]] == ["vendor-certificate-unusable"] * len(
        envelope["errors"]
    )
