"""A second host from the saved answers of a first one: the same tree, but for names and ids."""

from pathlib import Path

from mstunnel_setup.base import paths
from tests.crash.arena import Arena


def _tree(arena: Arena, name: str) -> dict[str, str]:
    """What is on the host but for the record of how it came there; `name` is that of the host."""
    return {
        path: entry.replace(name, "NAME")
        for path, entry in arena.tree().items()
        if not path.startswith((paths.STATE, "/var/log"))
    }


def test_a_second_host_is_like_the_first(arena: Arena, private: Path) -> None:
    arena.write_answers({"server_name": None, "environment": {"DEBUG_LEVEL": 1}})
    arena.install(host_name="first").checked()
    settings = arena.place(paths.ENVIRONMENT)
    settings.write_text(settings.read_text() + "TRACE_SESSIONS=2\n")
    arena.install(host_name="first").checked()
    saved = private / "next.yaml"
    arena.run("mstunnel-setup", "answers", "save", str(saved)).checked()
    first = _tree(arena, "first")

    arena.reset()
    arena.run("mstunnel-setup", "--answers", str(saved), host_name="second").checked()

    assert _tree(arena, "second") == first
    assert "TRACE_SESSIONS=2\n" in settings.read_text()


def test_no_secret_is_in_the_saved_answers(arena: Arena, private: Path) -> None:
    arena.install().checked()
    saved = private / "next.yaml"
    arena.run("mstunnel-setup", "answers", "save", str(saved)).checked()
    text = saved.read_text()
    assert "a-secret-of-the-installer" not in text
    assert f'client_secret: "file:{arena.directory}/secret"' in text
    assert saved.stat().st_mode & 0o777 == 0o600
