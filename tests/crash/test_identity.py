"""The server's own identity, by whole runs: consent by another person, a secret instead of a certificate."""

from urllib.parse import urlsplit

import requests

from mstunnel_setup.base import paths
from tests.crash.arena import Arena, differences
from tests.crash.kill import Scene
from tests.testbed.paths import JOURNAL
from tests.unit.mstunnel_lab.pages import Pages

_MAY_NOT_GRANT = "66666666-6666-4666-8666-666666666666"


def _consent(arena: Arena, address: str) -> str:
    """What another administrator sees who opens the address, signs in, and accepts."""
    session = requests.Session()
    # The environment's bundle would replace the one of the lab.
    session.trust_env = False
    session.verify = str(arena.tenant.lab["ca_file"])
    upn = "grants@crash.test"
    password = next(user["password"] for user in arena.tenant.lab["users"] if user["upn"] == upn)
    browser, wanted = Pages(arena.tenant.lab, session), urlsplit(address)
    browser.open(f"{wanted.path}?{wanted.query}")
    browser.send(upn=upn, password=password)
    return browser.send(decision="accept").text


def test_a_run_waits_for_consent_and_goes_on_once_it_is_given(fresh: Scene, arena: Arena) -> None:
    secret = f"file:{arena.directory}/secret"
    limited = {"method": "client-secret", "client_id": _MAY_NOT_GRANT, "client_secret": secret}
    arena.write_answers({"sign_in": limited})
    waiting = arena.install()
    assert (waiting.code, waiting.error) == (11, "admin-consent-needed")
    assert arena.install().error == "admin-consent-needed"
    hint = waiting.hint
    address = next(word for word in hint.split() if word.startswith(arena.tenant.lab["authority"]))

    assert "Consent given" in _consent(arena, address)

    arena.install().checked()
    assert differences({"tenant": fresh.golden["tenant"]}, {"tenant": arena.tenant.ours()}) == []
    arena.uninstall().checked()
    assert arena.tenant.ours() == []


def test_a_secret_takes_the_place_of_the_certificate(arena: Arena) -> None:
    arena.write_answers({"identity": {"credential": "secret"}})
    arena.install().checked()
    place = arena.place(paths.AGENT_SECRET)
    secret = place.read_text()
    assert place.stat().st_mode & 0o777 == 0o600
    assert not arena.place(paths.AGENT_CREDENTIAL).exists()
    for path in (JOURNAL, paths.SETUP_LOG, paths.AGENT_INFO):
        assert secret not in arena.place(path).read_text()
    again = arena.install()
    assert (again.code, again.envelope["status"], place.read_text()) == (0, "unchanged", secret)
    arena.write_answers({"identity": {"credential": "certificate"}})
    refused = arena.install()
    assert (refused.code, refused.error) == (6, "identity-changed")
    arena.write_answers({})
    arena.uninstall().checked()
    assert (place.exists(), arena.tenant.ours()) == (False, [])
