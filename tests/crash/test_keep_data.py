"""Uninstalling with what an administrator brought left in place, and installing on it again."""

from mstunnel_setup.base import paths
from tests.crash.arena import Arena
from tests.crash.kill import Scene


def test_settings_and_certificate_stay_and_serve_the_next_installation(fresh: Scene, arena: Arena) -> None:
    fresh.reset()
    before = arena.tenant.ours()
    arena.install()
    settings, certificate = (
        arena.place(path).read_bytes() for path in (paths.ENVIRONMENT, paths.SITE_CERTIFICATE)
    )

    removed = arena.uninstall("--keep-data")
    assert removed.code == 0
    left = {path for path in arena.tree() if path.startswith(f"{paths.CONFIGURATION}/")}
    assert {paths.ENVIRONMENT, paths.SITE_CERTIFICATE, paths.EULA_ACCEPTED} <= left
    assert not left & {paths.AGENT_INFO, paths.AGENT_CREDENTIAL, paths.OCSERV_CONF, paths.ADMIN_SETTINGS}
    named = [item["message"] for item in removed.envelope["warnings"]]
    assert any(paths.SITE_CERTIFICATE in text for text in named)
    assert arena.tenant.ours() == before
    assert arena.daemon.state()["containers"] == {}
    assert f"{paths.STATE}/journal.jsonl" not in arena.tree()

    assert arena.install().code == 0
    assert arena.place(paths.ENVIRONMENT).read_bytes() == settings
    assert arena.place(paths.SITE_CERTIFICATE).read_bytes() == certificate


def test_without_the_tenant_what_stays_there_is_named(fresh: Scene, arena: Arena) -> None:
    fresh.reset()
    arena.install()
    registered = arena.tenant.ours()

    removed = arena.uninstall("--offline")
    assert removed.code == 0
    named = " ".join(item["message"] for item in removed.envelope["warnings"])
    assert "the application" in named
    assert "the record" in named
    assert arena.tenant.ours() == registered
    assert arena.daemon.state()["containers"] == {}
