"""Many sites in one apply: throttled, refused, interrupted and killed in the middle, and applied again."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from mstunnel_setup.base.errors import ExitCode
from tests.bench.large_apply import command as command_line
from tests.bench.large_apply import control, declare, slow
from tests.unit.mst_admin.labs import MstAdmin, Tenant

SITES = 120


@pytest.fixture
def truthful(empty: Tenant) -> Iterator[Tenant]:
    """Return a lab with faults and limits set by tests."""
    yield empty
    control(empty, "DELETE", "faults")
    control(empty, "DELETE", "limit")


def made(tenant: Tenant, prefix: str) -> Counter[str]:
    """Return the number of sites of each name."""
    sites = tenant.graph().sites()
    return Counter(site.display_name for site in sites if site.display_name.startswith(prefix))


def test_a_tenant_that_throttles_gets_all_sites(
    truthful: Tenant, command: Callable[[Tenant], MstAdmin], tmp_path: Path
) -> None:
    control(truthful, "POST", "limit", {"requests": 30, "seconds": 1})
    done = command(truthful)("apply", str(declare(tmp_path, SITES, "Throttled")), "--no-resolve")
    assert (done.code, len(done.data["changes"])) == (0, SITES + 1)
    assert made(truthful, "Throttled").total() == SITES
    assert control(truthful, "GET", "limit")["refused"] > 0
    assert "\r" not in done.errors


def test_next_apply_completes_a_killed_one_without_duplicates(
    truthful: Tenant, command: Callable[[Tenant], MstAdmin], tmp_path: Path
) -> None:
    file = declare(tmp_path, SITES, "Killed")
    control(truthful, "POST", "faults", {"faults": [slow(0.1)]})
    with subprocess.Popen(
        command_line(truthful, file, "--unattended"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        end = time.monotonic() + 60
        while made(truthful, "Killed").total() < SITES // 4:
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()
    before = made(truthful, "Killed")
    assert SITES // 4 <= before.total() < SITES
    control(truthful, "DELETE", "faults")
    second = command(truthful)("apply", str(file), "--no-resolve")
    assert (second.code, len(second.data["changes"])) == (0, SITES - before.total())
    after = made(truthful, "Killed")
    assert (after.total(), set(after.values())) == (SITES, {1})
    assert command(truthful)("apply", str(file), "--no-resolve").status == "unchanged"


def test_a_person_sees_a_bar_and_after_ctrl_c_how_to_continue(
    truthful: Tenant, command: Callable[[Tenant], MstAdmin], tmp_path: Path
) -> None:
    file = declare(tmp_path, SITES, "Interrupted")
    control(truthful, "POST", "faults", {"faults": [slow(0.2)]})
    words = command_line(truthful, file, "--yes")
    with pexpect.spawn(words[0], words[1:], timeout=60, encoding="utf-8", maxread=65536) as child:
        child.expect(r"━.* 1\d of 12[01] changes")
        child.sendintr()
        child.expect(r"interrupted after (\d+) of 12[01] changes")
        told = int(child.match.group(1))
        child.expect_exact("Run the same command again: it finds what was made and continues.")
        child.expect(pexpect.EOF)
    assert child.exitstatus == ExitCode.INTERRUPTED
    # The server configuration is one of the changes unless another test has created it.
    assert made(truthful, "Interrupted").total() in {told, told - 1}
    control(truthful, "DELETE", "faults")
    again = command(truthful)("apply", str(file), "--no-resolve")
    assert again.code == 0
    assert set(made(truthful, "Interrupted").values()) == {1}
    assert made(truthful, "Interrupted").total() == SITES


def test_apply_stops_at_first_error_and_reports_changes(
    truthful: Tenant, command: Callable[[Tenant], MstAdmin], tmp_path: Path
) -> None:
    admin, file = command(truthful), declare(tmp_path, SITES, "Refused")
    late = {"path": "/beta/*Sites", "method": "POST", "status": 0, "delay": 0.1, "times": 30}
    no = {"path": "/beta/*Sites", "method": "POST", "status": 503}
    control(truthful, "POST", "faults", {"faults": [late, no]})
    refused = admin("apply", str(file), "--no-resolve")
    assert (refused.code, refused.codes("errors")) == (ExitCode.TENANT, ["graph-unavailable"])
    assert refused.message.startswith("create site Refused ")
    names = {name for _, kind, name in refused.changes if kind == "site"}
    assert names == set(made(truthful, "Refused"))
    # Each of the eight connections may begin one more change before the error has arrived.
    assert 30 <= len(names) < 30 + 2 * 8
    assert admin("apply", str(file), "--no-resolve").code == 0
    assert set(made(truthful, "Refused").values()) == {1}


def test_sites_are_created_after_their_configuration(
    truthful: Tenant, command: Callable[[Tenant], MstAdmin], tmp_path: Path
) -> None:
    file = declare(tmp_path, 20, "New")
    file.write_text(file.read_text().replace("Main", "Quite new"))
    done = command(truthful)("apply", str(file), "--no-resolve")
    assert [kind for _, kind, _ in done.changes] == ["configuration", *["site"] * 20]
    assert done.names[1:] == sorted(done.names[1:]), "what was made is listed in the order of the plan"
