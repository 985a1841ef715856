"""The required checks of host and site: refusals, prompts, and when they are skipped."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import (
    CertificateError,
    CheckError,
    ChecksFailedError,
    EngineError,
    SetupError,
    SignInError,
    StepError,
)
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install import preflight
from mstunnel_setup.install.install import run_steps
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import step_named
from mstunnel_setup.install.step_list import ORDER
from mstunnel_setup.install.steps import environment, eula, sign_in, site
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.data import REGISTRY
from mstunnel_setup.readiness.examine import Examiner, Wanted
from mstunnel_setup.readiness.facts.firewall import Firewall
from mstunnel_setup.readiness.facts.programs import ProgramReader, SecurityFacts
from mstunnel_setup.readiness.model import ReadinessFacts
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.step import Step
from tests.refusals import refused
from tests.unit.certificates.pki import Pki
from tests.unit.install.scenes import BERLIN, IMAGES, FakeGraph, Scene, configuration
from tests.unit.operators import operator_of

HOSTS = Path(__file__).parents[1] / "readiness/hosts"
ALL = [step.name for step in ORDER]
HOST_ONLY = [name for name in ALL if name not in ("sign-in", "site", "eula")]


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch) -> list[Wanted]:
    """Return the list of requested examinations; the files count as those of the running host."""
    monkeypatch.setattr(Files, "live", True)
    return []


@pytest.fixture
def host(examined: list[Wanted], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes the examination return the facts of a recorded host."""

    def found(name: str, **changes: Any) -> None:
        facts = ReadinessFacts.model_validate(
            {**json.loads((HOSTS / f"{name}.json").read_text())["facts"], **changes}
        )

        def examine(_self: Examiner, wanted: Wanted) -> ReadinessFacts:
            examined.append(wanted)
            return facts

        monkeypatch.setattr(Examiner, "facts", examine)

    return found


NEAR = {"network": "169.254.0.0/16", "device": "eth1"}


def opened(scene: Scene, **answers: Any) -> Run:
    scene.prompter.interactive = bool(scene.prompter.typed)
    return scene.opened(**answers)


def ask_steps(run: Run, names: Collection[str]) -> None:
    """Call `refuse` of the named steps, as a run does before its first change, the terms first."""
    for step in ORDER:
        if step.name in names:
            step.refuse(run, ["eula", *names])


def test_last_step_refuses_before_the_first_one_changes_anything(scene: Scene) -> None:
    asked: list[str] = []

    def refuse(_run: Run, steps: Collection[str]) -> None:
        asked.extend(steps)
        raise StepError("not-good", "it is not good", "Make it good.")

    for name in ("etc", "run", "var"):
        (scene.root / name).mkdir(exist_ok=True)
    last = Step("last", "Refuse it", lambda _run: None, lambda _facts: (), refuse=refuse)
    request = InstallRequest({"eula": "accept"})
    with refused(StepError, "not-good"):
        run_steps(operator_of(scene.root), request, Scope.ALL, [eula.STEP, last], examined=False)
    assert asked == ["eula", "last"]
    assert (scene.files.state(paths.CONFIGURATION), scene.journal.records) == (None, ())


def test_host_that_the_steps_can_fix_is_accepted(scene: Scene, host: Any, examined: list[Wanted]) -> None:
    host("rhel-9.6")
    preflight.refuse_unready(opened(scene), HOST_ONLY)
    assert len(examined) == 1


@pytest.mark.parametrize("later", [[], ["images"]])
def test_registries_are_checked_only_if_images_are_pulled(
    scene: Scene, host: Any, examined: list[Wanted], later: list[str]
) -> None:
    """Root's part alone does not know the source of the account's images."""
    host("debian-13")
    preflight.refuse_unready(opened(scene), ["kernel"], later)
    assert any(item.purpose.startswith(REGISTRY) for item in examined[0].endpoints) is bool(later)


def of_firewall(scene: Scene) -> list[str]:
    """Return the messages about the host's firewall."""
    return [text for text in scene.prompter.said if text.startswith("Firewall")]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "rhel-10.0",
            "`firewall-cmd --permanent --add-port=443/udp` and `firewall-cmd --add-port=443/udp`.",
        ),
        ("debian-13", ""),
    ],
)
def test_firewall_blocking_devices_is_reported_with_the_command(
    scene: Scene, host: Any, name: str, command: str
) -> None:
    """No step opens the firewall. RHEL's allows TCP only, Debian's allows TCP and UDP."""
    host(name)
    preflight.refuse_unready(opened(scene), HOST_ONLY)
    assert len(of_firewall(scene)) == bool(command)
    assert command in "".join(of_firewall(scene))


@pytest.mark.usefixtures("signed_in")
def test_the_firewall_is_asked_about_the_port_of_the_site(
    scene: Scene, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host("debian-13")
    shut = SecurityFacts(firewall=Firewall(kind="ufw", tcp=False, udp=True))
    monkeypatch.setattr(
        ProgramReader, "security", lambda reader: shut if reader.settings.port == 8443 else None
    )
    scene.graph.configuration = configuration(8443)
    one = opened(scene, eula="accept", site="Berlin")
    preflight.refuse_unready(one, ALL)
    assert of_firewall(scene) == []
    preflight.refuse_unsuited(one)
    (told,) = of_firewall(scene)
    assert "ufw and TCP 8443: not allowed. Run `ufw allow 8443/tcp`." in told


def test_without_the_step_that_fixes_it_the_host_is_refused(scene: Scene, host: Any) -> None:
    host("rhel-9.6")
    with refused(CheckError, "checks-failed", "2 required checks failed: module-tun, ip-forward"):
        preflight.refuse_unready(opened(scene), [name for name in HOST_ONLY if name != "kernel"])


def test_all_failures_are_named_at_once(scene: Scene, host: Any) -> None:
    host("cni")
    with pytest.raises(ChecksFailedError) as caught:
        preflight.refuse_unready(opened(scene), HOST_ONLY)
    assert [error.code for error in caught.value.failures] == ["bridge-route", "bridge-dns"]
    assert "10.88.0.0/16 and route via eth1 10.0.0.0/8" in caught.value.failures[0].message
    assert "`bridge: 192.168.240.0/24`" in caught.value.failures[0].hint


def test_a_check_may_be_ignored_by_its_id(scene: Scene, host: Any) -> None:
    host("docker-userns-remap")
    one = replace(opened(scene), request=InstallRequest(ignored_checks=("userns-remap",)))
    preflight.refuse_unready(one, HOST_ONLY)
    assert scene.prompter.said[-1].startswith("Ignored (--ignore-check): Docker user namespaces")


def test_incomplete_checks_are_reported_but_refuse_nothing(scene: Scene, host: Any) -> None:
    host("debian-13", network=None, unread={"network": {"reason": "no answer within 20 s"}})
    preflight.refuse_unready(opened(scene), HOST_ONLY)
    (said,) = scene.prompter.said
    assert said.startswith("Not checked (no answer within 20 s): dns, proxy-connects, endpoint-sign-in, ")
    assert "path-mtu" not in said, "it is recommended only"


def test_a_person_is_offered_a_free_range_for_the_bridge(scene: Scene, host: Any) -> None:
    host("cni")
    scene.prompter.typed = ["no", "yes"]
    with pytest.raises(ChecksFailedError):
        preflight.refuse_unready(opened(scene), HOST_ONLY)
    one = opened(scene)
    preflight.refuse_unready(one, HOST_ONLY)
    assert one.answers.bridge == one.answers.record()["bridge"] == "192.168.240.0/24"


@pytest.fixture
def signed_in(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make the administrator's sign-in succeed; return a list that records each one."""
    entered: list[str] = []

    def administrator(*_given: object) -> FakeGraph:
        entered.append("administrator")
        return scene.graph

    monkeypatch.setattr(sign_in, "administrator", administrator)
    return entered


def test_the_host_is_checked_without_a_question_or_a_sign_in(
    scene: Scene, host: Any, signed_in: list[str]
) -> None:
    host("debian-13")
    one = opened(scene)
    scene.prompter.interactive = True
    preflight.refuse_unready(one, ALL)
    assert (signed_in, scene.prompter.asked) == ([], [])
    assert scene.files.state("/etc/mstunnel") is None


def run_to_the_site(scene: Scene, one: Run) -> None:
    """Check the host, then run the steps from the terms to the site, without the certificate."""
    preflight.refuse_unready(one, ALL)
    for step in (eula.STEP, environment.STEP, sign_in.STEP, step_named("site")):
        scene.run(step, one)


@pytest.mark.usefixtures("signed_in")
def test_site_requirements_are_checked_once_known(scene: Scene, host: Any) -> None:
    """The checks run after the terms and before this server is registered."""
    host("debian-13", addresses={"routes": [NEAR], "resolvers": ["192.0.2.53"]})
    scene.graph.configuration = configuration()
    with refused(CheckError, "pool-route") as caught:
        run_to_the_site(scene, opened(scene, eula="accept", site="Berlin"))
    assert "client pool 169.254.0.0/16 and route via eth1 169.254.0.0/16" in caught.value.message
    assert remembered(scene.opened().receipt, "joined-site") is None


def test_the_site_is_judged_in_a_later_run_as_well(scene: Scene, host: Any, examined: list[Wanted]) -> None:
    """A run that stopped at the certificate has checked only the host."""
    host("debian-13", addresses={"routes": [NEAR], "resolvers": ["192.0.2.53"]})
    scene.remember("images.server", "x")
    scene.graph.configuration = configuration()
    one = opened(scene, site="Berlin")
    preflight.refuse_unready(one, ALL)
    assert examined == []
    with pytest.raises(CheckError) as caught:
        step_named("site").gather(one)
    assert (caught.value.code, len(examined)) == ("pool-route", 1)


def test_a_registered_server_is_not_judged_again(scene: Scene, host: Any, examined: list[Wanted]) -> None:
    host("cni")
    scene.remember("images.server", "x")
    scene.journal.append("step", step="register")
    preflight.refuse_unsuited(replace(opened(scene, site="Berlin"), examined=tuple(ALL)))
    assert examined == []


def test_no_sign_in_or_choice_is_asked_for_twice(scene: Scene, host: Any, signed_in: list[str]) -> None:
    host("debian-13")
    scene.graph.configuration = configuration()
    scene.prompter.typed = ["", BERLIN.id]
    one = opened(scene, eula="accept")
    one.identity = scene.identity("vpn.example.org")
    run_to_the_site(scene, one)
    sign_in.STEP.gather(one)
    assert site.choose(one) == BERLIN
    assert (signed_in, len(scene.prompter.asked)) == (["administrator"], 2)


@pytest.mark.parametrize("why", ["begun", "another root"])
def test_a_host_checked_before_or_not_running_is_not_examined(
    scene: Scene, host: Any, examined: list[Wanted], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    host("cni")
    if why == "begun":
        scene.remember("images.server", "x")
    else:
        monkeypatch.setattr(Files, "live", False)
    preflight.refuse_unready(opened(scene), ALL)
    assert examined == []


def test_the_endpoints_follow_the_cloud_and_the_images(
    scene: Scene, host: Any, examined: list[Wanted]
) -> None:
    host("debian-13")
    image = "registry.example.com/server@sha256:" + "a" * 64
    answers = {"tenant__cloud": "gcc-high", "images__server": image, "images__agent": image}
    preflight.refuse_unready(opened(scene, **answers), HOST_ONLY)
    hosts = {item.host for item in examined[0].endpoints if item.host}
    assert hosts == {
        "login.microsoftonline.us",
        "graph.microsoft.us",
        "manage.microsoft.us",
        "registry.example.com",
    }


def test_check_ids_match_those_used_by_the_steps() -> None:
    directory = Path(preflight.__file__).parent
    sources = [directory.parent / "tenant/sign_in_errors.py", *directory.rglob("*.py")]
    used = "".join(path.read_text() for path in sources if path.stem != "preflight")

    assert [name for name in preflight.OF_STEPS if f'"{name}"' not in used] == []


def test_spoofable_balancers_are_refused_before_the_first_change(scene: Scene) -> None:
    scene.write("/proc/net/if_inet6", "fe800000000000000000000000000002 02 40 20 80 eth0\n")
    with refused(SetupError, "proxy-protocol-forgeable"):
        ask_steps(opened(scene, engine="docker", proxy_protocol_from="192.0.2.10"), HOST_ONLY)


def test_image_archive_is_checked_before_the_first_change(scene: Scene, host: Any, tmp_path: Path) -> None:
    """Formerly the step that loads the archive failed, after half of the changes to the host."""
    host("rhel-9.6")
    (tmp_path / "images.tar").write_bytes(b"no archive")
    archive = str(tmp_path / "images.tar")
    with refused(EngineError, "image-archive-unusable"):
        ask_steps(opened(scene, **IMAGES, images__archive=(archive,)), HOST_ONLY)
    skipped = [name for name in HOST_ONLY if name != "images"]
    ask_steps(opened(scene, **IMAGES, images__archive=(archive,)), skipped)


def test_new_archive_is_checked_before_its_path_is_stored(scene: Scene, host: Any) -> None:
    """Formerly a wrong path was stored, and every later run without the option failed."""
    host("rhel-9.6")
    scene.remember("answers", {})
    given = {**IMAGES, "images__archive": ("/root/gone.tar",)}
    with refused(EngineError, "image-archive-unusable", match="/root/gone.tar"):
        ask_steps(opened(scene, **given), HOST_ONLY)
    # An archive that was loaded and removed since is not required.
    scene.remember("answers", opened(scene, **given).answers.record())
    ask_steps(opened(scene, **given), HOST_ONLY)


@pytest.fixture
def unlicensed(scene: Scene, signed_in: list[str]) -> list[str]:
    """Make the sign-in succeed for an administrator without a licence."""
    scene.graph.plans = ()
    return signed_in


def test_unattended_run_refuses_an_account_before_any_change(scene: Scene, unlicensed: list[str]) -> None:
    with refused(SignInError, "licence-missing"):
        ask_steps(opened(scene, **scene.certificate(), eula="accept"), ALL)
    assert unlicensed == ["administrator"]
    assert not scene.journal.records


@pytest.mark.usefixtures("signed_in")
def test_unattended_run_refuses_another_sites_certificate(scene: Scene) -> None:
    pki = Pki({"leaf": {"names": ["vpn.example.com"]}})
    scene.trusted = (pki.certificate("root"),)
    given = {**scene.certificate(pki), "eula": "accept"}
    with pytest.raises(CertificateError, match=r"vpn\.example\.org"):
        ask_steps(opened(scene, site="Berlin", **given), ALL)
    assert not scene.journal.records
    ask_steps(opened(scene, site="Osaka", **given), ALL)


def test_a_person_is_first_asked_what_comes_before_the_sign_in(scene: Scene, unlicensed: list[str]) -> None:
    scene.prompter.typed = ["something"]
    ask_steps(opened(scene, **scene.certificate(), eula="accept"), ALL)
    assert unlicensed == []


def test_missing_or_refused_certificate_is_found_before_sign_in(scene: Scene, unlicensed: list[str]) -> None:
    ask_steps(opened(scene), ALL)
    ask_steps(opened(scene), HOST_ONLY)
    named = scene.certificate()
    named["certificate__key"] = named["certificate__chain"]
    with pytest.raises(CertificateError):
        ask_steps(opened(scene, **named), ALL)
    assert unlicensed == []
