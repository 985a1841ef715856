"""Step `site`: a site is chosen by number, name or GUID; the certificate must contain its address."""

import pytest

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, ExitCode, TenantError, UsageError
from mstunnel_setup.certificates import generations
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import certificate, site
from mstunnel_setup.tenant.wire import TunnelServer, TunnelSite
from mstunnel_setup.transaction.receipt import remembered
from tests.refusals import refused
from tests.unit.certificates.pki import Pki
from tests.unit.install.scenes import BERLIN, OSAKA, FakePrompter, Scene


def _with_certificate(scene: Scene, names: list[str] | None = None, **answers: str) -> Run:
    """Return a run in which the step `certificate` has found a certificate."""
    identity = scene.identity(*(names or ["vpn.example.org"]))
    run = scene.opened(**answers)
    run.identity = identity
    return run


def _refused(run: Run) -> TenantError:
    """Return the error of an unattended run."""
    assert isinstance(run.console, FakePrompter)
    run.console.interactive = False
    with pytest.raises(TenantError) as caught:
        site.STEP.gather(run)
    assert caught.value.exit_code is ExitCode.TENANT
    return caught.value


@pytest.mark.parametrize(
    ("wanted", "listings"),
    [(BERLIN.id, 0), (BERLIN.id.upper(), 0), ("Berlin", 1), ("berlin", 1), (" BERLIN ", 1)],
)
def test_a_site_by_guid_or_name(scene: Scene, wanted: str, listings: int) -> None:
    """A GUID needs no listing of the sites, of which a tenant may have thousands."""
    found = site.STEP.gather(_with_certificate(scene, site=wanted))
    assert found == site.ChosenSite(BERLIN.id, "Berlin", "vpn.example.org", None)
    assert (scene.prompter.asked, scene.graph.listings) == ([], listings)


def test_sites_are_listed_with_address_and_server_count(scene: Scene) -> None:
    scene.graph.listed = [TunnelServer(id="1", display_name="gw1")]
    scene.prompter.typed = [OSAKA.id]
    scene.run(site.STEP, scene.opened())
    assert scene.prompter.rows == [
        (BERLIN.id, "Berlin", "vpn.example.org", "1"),
        (OSAKA.id, "Osaka", "", "1"),
    ]
    # Later runs have the choice among their answers.
    assert remembered(scene.opened().receipt, "answers") == {"site": OSAKA.id}


def test_the_servers_of_many_sites_are_not_counted(scene: Scene) -> None:
    """Counting costs a request for each site."""
    scene.graph.all_sites = [OSAKA] + [BERLIN.model_copy(update={"id": f"{n}"}) for n in range(10)]
    scene.prompter.typed = [OSAKA.id]
    site.STEP.gather(scene.opened())
    assert {row[-1] for row in scene.prompter.rows} == {""}


def test_hostile_names_are_shown_without_control_characters(scene: Scene) -> None:
    scene.graph.all_sites = [TunnelSite(id="7", display_name="A\x1b[31m\nB")]
    scene.prompter.typed = ["7"]
    assert site.STEP.gather(scene.opened()).name.isprintable()
    assert all(cell.isprintable() for row in scene.prompter.rows for cell in row)


def test_an_unknown_site_names_those_there_are(scene: Scene) -> None:
    scene.prompter.typed = [OSAKA.id]
    assert site.STEP.gather(scene.opened(site="Paris")).id == OSAKA.id
    assert "Paris" in scene.prompter.said[0]
    error = _refused(scene.opened(site="Paris"))
    assert (error.code, error.hint) == ("site-unknown", "Give one of: Berlin, Osaka.")
    scene.graph.all_sites = []
    assert _refused(scene.opened(site="Berlin")).code == "site-none"


def test_a_name_of_two_sites_needs_the_guid(scene: Scene) -> None:
    twin = TunnelSite(id="33333333-0000-0000-0000-000000000003", display_name="OSAKA")
    scene.graph.all_sites.append(twin)
    error = _refused(scene.opened(site="Osaka"))
    assert error.code == "site-ambiguous"
    assert OSAKA.id in error.hint
    assert twin.id in error.hint
    assert site.STEP.gather(scene.opened(site=twin.id)).id == twin.id


def test_site_named_like_another_sites_guid_does_not_hide_it(scene: Scene) -> None:
    scene.graph.all_sites.append(TunnelSite(id="4", display_name=OSAKA.id))
    assert site.STEP.gather(scene.opened(site=OSAKA.id)).id == OSAKA.id


@pytest.mark.parametrize("name", ["Osaka", "Kobe"])
def test_the_site_joined_earlier_is_taken_without_a_question(scene: Scene, name: str) -> None:
    """The site is found even if it was renamed."""
    assert site.STEP.missing(scene.opened()) == ("site",)
    scene.remember("joined-site", {"id": OSAKA.id, "name": name, "public_address": ""})
    assert site.STEP.gather(scene.opened()).name == "Osaka"
    assert site.STEP.missing(scene.opened()) == ()


def test_a_site_that_was_deleted_meanwhile_is_named(scene: Scene) -> None:
    gone = "77777777-0000-0000-0000-000000000000"
    scene.remember("joined-site", {"id": gone, "name": "Lima", "public_address": ""})
    error = _refused(scene.opened())
    assert (error.code, error.message) == (
        "site-deleted",
        f"the site Lima ({gone}) is no longer in the tenant",
    )
    assert "mst-cli site change" in error.hint


@pytest.mark.parametrize("answer", [BERLIN.id, "Kobe"], ids=["the site left since", "its old name"])
def test_joined_site_takes_precedence_over_an_earlier_answer(scene: Scene, answer: str) -> None:
    scene.join(OSAKA)
    run = scene.opened().answering(merge({}, {}, earlier={"site": answer}))
    assert site.STEP.gather(run).id == OSAKA.id


def test_another_site_than_before_is_refused(scene: Scene) -> None:
    scene.join(OSAKA)
    error = _refused(scene.opened(site="Berlin"))
    assert error.code == "site-changed"
    assert "Osaka" in error.message
    assert "uninstall" in error.hint


def test_a_certificate_for_another_address_is_refused(scene: Scene) -> None:
    run = _with_certificate(scene, ["vpn.example.com"], site="Berlin")
    scene.prompter.interactive = False
    with pytest.raises(CertificateError) as caught:
        site.STEP.gather(run)
    assert caught.value.exit_code is ExitCode.CERTIFICATE
    assert "vpn.example.org" in caught.value.message


MADRID = TunnelSite(
    id="11111111-0000-0000-0000-000000000004", display_name="Madrid", public_address="vpn.example.com"
)


@pytest.mark.parametrize("named", [{}, {"site": "Berlin"}], ids=["chosen", "named"])
def test_a_person_chooses_another_site_for_the_certificate(scene: Scene, named: dict[str, str]) -> None:
    scene.graph.all_sites.append(MADRID)
    scene.prompter.typed = [*(() if named else (BERLIN.id,)), "site", MADRID.id]
    run = _with_certificate(scene, ["vpn.example.com"], **named)
    found = site.STEP.gather(run)
    assert (found.id, found.certificate, run.answers.site) == (MADRID.id, None, MADRID.id)
    assert "vpn.example.org" in scene.prompter.said[0]


def test_a_person_names_another_certificate_for_the_site(scene: Scene) -> None:
    """The certificate is placed with the site, and may expire earlier than the wrong one of this run."""
    for directory in (paths.CONFIGURATION, paths.CERTIFICATES, paths.PRIVATE):
        scene.files.make_directories(directory)
    wrong, right = Pki({"leaf": {"names": ["vpn.example.com"]}}), Pki({"leaf": {"days": 60}})
    scene.trusted = (wrong.certificate("root"), right.certificate("root"))
    run = scene.opened(site="Berlin", **scene.certificate(wrong, "/root/wrong"))
    scene.run(certificate.STEP, run)
    chain, key = scene.certificate(right, "/root/right").values()
    scene.prompter.typed = ["certificate", "/root/typo.pem", chain, key]
    scene.run(site.STEP, run)
    leaf = generations.leaf_in_use(run.host.files)
    assert leaf == right.certificate("leaf")
    assert scene.files.read(paths.SITE_CERTIFICATE) == right.pem("leaf") + right.pem("inter")
    assert scene.opened().answers.certificate.chain == (chain,)


@pytest.mark.parametrize("joined", [False, True])
def test_a_person_may_stop_instead(scene: Scene, *, joined: bool) -> None:
    """A server cannot leave a joined site, so after a change of its address only a new certificate helps."""
    if joined:
        scene.join(BERLIN.model_copy(update={"public_address": "vpn.example.com"}))
    scene.prompter.typed = ["stop"]
    with refused(CertificateError, "name-mismatch", r"vpn\.example\.org"):
        site.STEP.gather(_with_certificate(scene, ["vpn.example.com"], site="Berlin"))
    choices = ["certificate", "stop"] if joined else ["site", "certificate", "stop"]
    assert [row[0] for row in scene.prompter.rows] == choices


@pytest.mark.parametrize("typed", [[], ["certificate"]])
def test_run_without_input_fails_like_an_unattended_one(scene: Scene, typed: list[str]) -> None:
    """This happens in a cron job without --unattended."""
    scene.prompter.typed = typed
    scene.prompter.at_end = UsageError("input-ended", "the input ended")
    with refused(CertificateError, "name-mismatch"):
        site.STEP.gather(_with_certificate(scene, ["vpn.example.com"], site="Berlin"))


def test_site_without_address_accepts_any_certificate_name(scene: Scene) -> None:
    run = _with_certificate(scene, ["anything.example.com"], site="Osaka")
    assert site.STEP.gather(run).public_address == ""


def test_later_steps_know_the_site_before_it_is_stored(scene: Scene) -> None:
    run = scene.opened(site="Osaka")
    with refused(TenantError, "site-missing"):
        site.chosen_id(run)
    site.STEP.gather(run)
    assert site.chosen_id(run) == OSAKA.id
