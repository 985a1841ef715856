"""The switch from Microsoft's own gateway: refused, failed, rolled back, committed. test_kill kills it."""

import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from mstunnel_setup.actions import vendor_gateway
from tests.crash.arena import differences
from tests.crash.engine import DEAD
from tests.crash.kill import KILLED, Scene, point
from tests.crash.vendor import CONTAINERS, VendorArena

_REFUSED = {"port": "http", "what": "403", "at": 1}


@pytest.fixture
def scene(variant: Callable[[str], Scene]) -> Scene:
    """The other gateway runs, and nothing has begun."""
    found = variant("vendor")
    found.reset()
    return found


@pytest.fixture
def host(scene: Scene) -> VendorArena:
    """Its host."""
    assert isinstance(scene.arena, VendorArena)
    return scene.arena


def containers(host: VendorArena) -> dict[str, Any]:
    """The containers by name."""
    found: dict[str, Any] = host.daemon.state()["containers"]
    return found


def statuses(host: VendorArena) -> dict[str, str]:
    """Theirs by name."""
    return {name: item["status"] for name, item in containers(host).items()}


def test_adopted_gateway_stays_stopped_and_its_certificate_serves(host: VendorArena) -> None:
    served = (host.root / "etc/mstunnel/certs/active.crt").read_text()

    host.install().checked()

    found = containers(host)
    for name in CONTAINERS:
        kept = found[f"{name}.vendor"]
        assert (kept["status"], kept["restart"]) == ("exited", "no")
        assert found[name]["labels"] != {}
    chain = (host.root / "etc/mstunnel/private/active/chain.pem").read_text()
    assert chain.startswith(served.split("-----END")[0])
    assert (host.root / "etc/mstunnel.vendor/private/agent.p12").read_bytes() == b"the agent's own identity"
    assert "TRACE_SESSIONS=1" in (host.root / "etc/mstunnel/env.sh").read_text()


def test_the_backup_is_for_root_only_and_holds_everything(host: VendorArena) -> None:
    host.install().checked()

    place = host.root / "var/lib/mstunnel/vendor-backup.tar"
    assert place.stat().st_mode & 0o777 == 0o600
    with tarfile.open(place) as archive:
        key = archive.getmember("etc/mstunnel/private/active.key")
        assert (key.mode, key.uid) == (0o770, (host.root / "etc").stat().st_uid)
        assert {"usr/sbin/mst-cli", "etc/systemd/system/mstunnel_monitor.service"} <= {*archive.getnames()}


def test_a_switch_needs_the_digest_of_a_plan_of_today(scene: Scene, host: VendorArena) -> None:
    missing = host.switch()
    assert (missing.code, missing.error) == (2, "adoption-plan-missing")

    (host.root / "etc/mstunnel/env.sh").write_text("TRACE_SESSIONS=2\n")
    before = host.state()
    outdated = host.switch("--plan", host.digest)

    assert (outdated.code, outdated.error) == (3, "adoption-plan-outdated")
    assert differences(before, host.state()) == []


def test_refused_terms_stop_it_before_the_first_change(scene: Scene, host: VendorArena) -> None:
    """Microsoft's marker of acceptance lies there, and is about other terms."""
    (host.root / "etc/mstunnel/EulaAccepted").touch()
    host.write_answers({"certificate": None, "eula": None})
    digest = host.plan().envelope["data"]["digest"]
    before = host.state()

    ended = host.switch("--plan", digest)

    assert (ended.code, ended.error) == (2, "answers-missing")
    assert differences(before, host.state()) == []


def test_a_gateway_that_does_not_start_brings_the_other_one_back(scene: Scene, host: VendorArena) -> None:
    images = {**host.images, "server": f"registry.crash.test/gateway@{DEAD}"}
    host.write_answers({"certificate": None, "images": images})

    failed = host.install()

    assert (failed.code, failed.error) == (10, "adoption-rolled-back")
    assert "adopt plan" in failed.hint
    assert differences(scene.before, host.state()) == []


def test_the_way_back_needs_no_administrator(scene: Scene, host: VendorArena) -> None:
    """The server signs in as itself by then, and the secret of whoever began is gone."""
    assert host.install(kill_at=scene.points.index("engine pull") + 1).code == KILLED
    images = {**host.images, "server": f"registry.crash.test/gateway@{DEAD}"}
    unknown = {**host.secret_identity(), "method": "client-secret", "client_secret": "env:NOT_SET"}
    host.write_answers({"certificate": None, "images": images, "sign_in": unknown})

    failed = host.install()

    assert (failed.code, failed.error) == (10, "adoption-rolled-back")
    assert statuses(host) == dict.fromkeys(CONTAINERS, "running")


def test_early_failure_leaves_the_other_gateway_serving(scene: Scene, host: VendorArena) -> None:
    failed = host.install(fault=_REFUSED)

    assert failed.code not in (0, 1)
    assert failed.error != "adoption-rolled-back"
    assert statuses(host) == dict.fromkeys(CONTAINERS, "running")
    host.install().checked()
    assert differences(scene.golden, host.state()) == []


@pytest.mark.parametrize("arguments", [[], ["plan"], ["step", "eula"]])
def test_meanwhile_nothing_else_installs(scene: Scene, host: VendorArena, arguments: list[str]) -> None:
    host.install(fault=_REFUSED)

    ended = host.answered("mstunnel-setup", *arguments)

    assert (ended.code, ended.error) == (2, "adoption-unfinished")


def test_a_restart_in_the_middle_is_continued_without_the_plan(scene: Scene, host: VendorArena) -> None:
    at = point(scene.points, "rename", ".vendor")
    assert host.install(kill_at=at + 1).code == KILLED

    host.switch().checked()

    assert differences(scene.golden, host.state()) == []


@pytest.mark.parametrize("way", ["adopt rollback", "mst-cli uninstall"])
def test_a_finished_switch_goes_back_exactly(scene: Scene, host: VendorArena, way: str) -> None:
    host.install().checked()

    ended = host.uninstall() if way == "adopt rollback" else host.answered("mst-cli", "uninstall")

    ended.checked()
    assert differences(scene.before, host.state()) == []


def test_commit_is_final_and_touches_no_file_of_others(host: VendorArena) -> None:
    host.install().checked()
    host.commit().checked()
    kept = {path: text for path, text in host.tree().items() if ".vendor" in path}

    again = host.run("mstunnel-setup", "adopt", "rollback")
    assert (again.code, again.error) == (2, "nothing-adopted")
    host.answered("mst-cli", "uninstall").checked()

    assert {path: text for path, text in host.tree().items() if ".vendor" in path} == kept
    assert statuses(host) == {f"{name}.vendor": "exited" for name in CONTAINERS}


def test_a_committed_gateway_is_finished(host: VendorArena) -> None:
    host.install().checked()
    host.commit().checked()

    refused = host.roll_back()

    assert (refused.code, refused.error) == (2, "installation-finished")
    assert host.run("mstunnel-setup", "status").envelope["data"]["installed"]
    assert "installation-unfinished" not in host.run("mst-cli", "status").stdout
    assert containers(host)["mstunnel-server"]["status"] == "running"


@pytest.mark.long
def test_a_commit_is_killed_before_its_one_record_or_after_it(scene: Scene, host: VendorArena) -> None:
    scene.install()
    undisturbed = host.commit().checked()
    golden = host.state()
    opened = undisturbed.points.index("open journal.jsonl") + 1
    for at in (*range(opened, opened + 6), len(undisturbed.points)):
        scene.install()
        assert host.commit(kill_at=at).code == KILLED
        way_back = vendor_gateway.KEY in host.receipt()["entries"]

        again = host.commit()

        assert (again.code, again.error) == ((0, "") if way_back else (2, "nothing-adopted")), at
        assert differences(golden, host.state()) == [], at


def test_an_unfinished_switch_is_not_committed(host: VendorArena) -> None:
    host.install(fault=_REFUSED)

    ended = host.commit()

    assert (ended.code, ended.error) == (3, "adoption-not-verified")


def test_later_failure_restores_nothing_that_was_replaced(scene: Scene, host: VendorArena) -> None:
    """Given once more on a finished switch: ours serves, whatever the tenant answers today."""
    host.install().checked()
    host.write_answers({"certificate": None, "site": "Nowhere"})

    assert host.install().code not in (0, 10)

    assert containers(host)["mstunnel-server"]["status"] == "running"
    assert containers(host)["mstunnel-server.vendor"]["status"] == "exited"


def test_edits_since_the_switch_are_kept_beside_the_old_files(scene: Scene, host: VendorArena) -> None:
    host.install().checked()
    (host.root / "etc/mstunnel/env.sh").write_text("TRACE_SESSIONS=2\n")

    ended = host.uninstall()

    ended.checked()
    found = host.state()
    left = {path: found["tree"].pop(path) for path in list(found["tree"]) if ".left" in path}
    assert set(left) == {"/etc/mstunnel.left", "/etc/mstunnel.left/env.sh"}
    assert differences(scene.before, found) == []


def test_leftovers_of_an_earlier_adoption_block_the_plan(scene: Scene, host: VendorArena) -> None:
    (host.root / "etc/mstunnel.vendor").mkdir()

    ended = host.plan()

    assert (ended.code, ended.error) == (3, "vendor-aside-occupied")
