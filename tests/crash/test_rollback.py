"""Back to the time before, when asked for: after a failure, or by `rollback`; keeping is the default."""

from collections.abc import Sequence

import pytest

from tests.crash.arena import Arena, differences
from tests.crash.kill import Scene

_REFUSED = {"port": "http", "what": "403"}
# All but the journal's note of the failure.
_KEPT = ("tree", "engine", "tenant")


def writes(scene: Scene) -> Sequence[int]:
    """Numbers of the requests that change something in the tenant: the latest moments to fail at."""
    scene.reset()
    calls = scene.arena.install(fault={"port": "http"}).points
    scene.reset()
    return [
        number for number, call in enumerate(calls, 1) if call.startswith("POST") and "oauth2" not in call
    ]


def test_a_failed_installation_is_kept_and_says_why(fresh: Scene, arena: Arena) -> None:
    failed = arena.install(fault={**_REFUSED, "at": writes(fresh)[-1]})
    assert failed.code not in (0, 1)
    status = arena.run("mstunnel-setup", "status").envelope["data"]
    assert status["stopped"]["code"] == failed.error
    assert status["next"] == status["stopped"]["step"]
    arena.install().checked()
    assert differences(fresh.golden, arena.state()) == []


@pytest.mark.parametrize("way_back", ["uninstall", "roll_back"])
def test_below_a_bare_root_nothing_is_left_either(fresh: Scene, arena: Arena, way_back: str) -> None:
    """Neither directories that every running host has, nor the lock."""
    last = writes(fresh)[-1]
    fresh.reset()
    for directory in ("var/lib", "var/log"):
        (arena.root / directory).rmdir()
    before = arena.state()
    arena.install(fault={**_REFUSED, "at": last if way_back == "roll_back" else 0})
    assert differences(before, arena.state()) != []
    getattr(arena, way_back)().checked()
    assert differences(before, arena.state()) == []


@pytest.mark.parametrize("which", [0, -1])
def test_with_the_option_a_failure_leaves_nothing(fresh: Scene, arena: Arena, which: int) -> None:
    at = writes(fresh)[which]
    failed = arena.install("--rollback-on-failure", fault={**_REFUSED, "at": at})
    # The code and the reason of what went wrong, never those of the way back.
    assert failed.code not in (0, 1)
    assert failed.error == kept_error(fresh, at)
    assert differences(fresh.before, arena.state()) == []


@pytest.mark.parametrize("skipped", ["", "bridge", "verify"])
def test_with_the_option_a_finished_installation_is_kept(fresh: Scene, arena: Arena, skipped: str) -> None:
    """The list of sites is refused; before, a metadata document and a token are fetched."""
    options = ("--skip", skipped) if skipped else ()
    arena.install(*options).checked()
    before = arena.state()
    failed = arena.install("--rollback-on-failure", *options, fault={**_REFUSED, "at": 4})
    assert (failed.code, failed.error) == (5, "permission-missing")
    kept = arena.state()
    assert {part: kept[part] for part in _KEPT} == {part: before[part] for part in _KEPT}


def kept_error(scene: Scene, at: int) -> str:
    """The error of the same failure without the option; the host is as before afterwards."""
    before = scene.arena.state()
    error = scene.arena.install(fault={**_REFUSED, "at": at}).error
    assert differences(scene.golden, scene.arena.state()) != []
    scene.arena.roll_back().checked()
    assert differences(before, scene.arena.state()) == []
    return error


@pytest.mark.parametrize("options", [(), ("--skip", "bridge")])
def test_a_finished_installation_is_not_rolled_back(
    fresh: Scene, arena: Arena, options: Sequence[str]
) -> None:
    arena.install(*options).checked()
    before = arena.state()
    refused = arena.roll_back()
    assert (refused.code, refused.error) == (2, "installation-finished")
    assert "uninstall" in refused.hint
    assert differences(before, arena.state()) == []
    assert arena.run("mstunnel-setup", "status").envelope["data"]["installed"]
    assert "installation-unfinished" not in arena.run("mst-cli", "status").stdout


def test_a_full_disk_with_the_option_leaves_nothing(fresh: Scene, arena: Arena) -> None:
    calls = arena.install(fault={"port": "files"}).points
    at = len(calls) - next(number for number, call in enumerate(reversed(calls)) if call.startswith("mkdir"))
    fresh.reset()
    failed = arena.install("--rollback-on-failure", fault={"port": "files", "at": at, "what": "28"})
    assert (failed.code, failed.error) == (10, "disk-full")
    assert differences(fresh.before, arena.state()) == []
