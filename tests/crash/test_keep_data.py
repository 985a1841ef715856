"""Uninstalling with what an administrator brought left in place, and installing on it again."""

from mstunnel_setup.base import paths
from tests.crash.arena import Arena
from tests.testbed.paths import JOURNAL


def test_kept_data_serves_the_next_installation(arena: Arena) -> None:
    before = arena.tenant.ours()
    arena.install()
    settings, certificate = (
        arena.place(path).read_bytes() for path in (paths.ENVIRONMENT, paths.SITE_CERTIFICATE)
    )

    removed = arena.uninstall("--keep-data").checked()
    left = {path for path in arena.tree() if path.startswith(f"{paths.CONFIGURATION}/")}
    assert {paths.ENVIRONMENT, paths.SITE_CERTIFICATE, paths.EULA_ACCEPTED} <= left
    assert not left & {paths.AGENT_INFO, paths.AGENT_CREDENTIAL, paths.OCSERV_CONF, paths.ADMIN_SETTINGS}
    named = [item["message"] for item in removed.envelope["warnings"]]
    assert any(paths.SITE_CERTIFICATE in text for text in named)
    assert arena.tenant.ours() == before
    assert arena.daemon.state()["containers"] == {}
    assert JOURNAL not in arena.tree()

    arena.install().checked()
    assert arena.place(paths.ENVIRONMENT).read_bytes() == settings
    assert arena.place(paths.SITE_CERTIFICATE).read_bytes() == certificate


def test_without_the_tenant_what_stays_there_is_named(arena: Arena) -> None:
    arena.install()
    registered = arena.tenant.ours()

    removed = arena.uninstall("--offline").checked()
    named = " ".join(item["message"] for item in removed.envelope["warnings"])
    assert "the application" in named
    assert "the record" in named
    assert arena.tenant.ours() == registered
    assert arena.daemon.state()["containers"] == {}
