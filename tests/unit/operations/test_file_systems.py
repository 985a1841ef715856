"""File systems that fill up, as rows of `health` and `status`, also with real mounts."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.io.files import Files, FileSystemSpace
from mstunnel_setup.operations import health, status
from mstunnel_setup.operations.file_systems import file_system_notices, judge_file_systems
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, rows_of

GIB = 1024**3


class Disks(Files):
    """Files of a host on whose directories these file systems are mounted."""

    def __init__(self, **spaces: FileSystemSpace) -> None:
        super().__init__()
        self.spaces = {getattr(paths, name): space for name, space in spaces.items()}

    def space(self, path: str) -> FileSystemSpace | None:
        return self.spaces.get(path)


def disk(device: int, size: float, free: float, files: int = 0, free_files: int = 0) -> FileSystemSpace:
    return FileSystemSpace(device, int(size * GIB), int(free * GIB), files, free_files)


@pytest.mark.parametrize(
    ("space", "code"),
    [
        (disk(2, 2, 1), None),
        (disk(2, 2, 0.15), "file-system-nearly-full"),
        (disk(2, 2, 0), "file-system-full"),
        (disk(2, 1000, 4), None),
        (disk(2, 1000, 2), "file-system-nearly-full"),
        (disk(2, 1000, 0.9), "file-system-full"),
        (disk(2, 2, 1, 1000, 10), "file-system-full"),
        (disk(2, 2, 1, 1000, 900), None),
    ],
)
@pytest.mark.parametrize("place", ["STATE", "CONTAINER_STORE", "LOG"])
def test_nearly_full_file_system_is_reported(place: str, space: FileSystemSpace, code: str | None) -> None:
    rows = judge_file_systems(Disks(CONFIGURATION=disk(1, 20, 10), **{place: space}))
    assert [row.title for row in rows] == [f"Disk space of {getattr(paths, place)}"]
    assert [notice.code for notice in file_system_notices(rows)] == [code][: code is not None]


def test_each_file_system_has_one_row() -> None:
    for free, ids in ((10.0, []), (0.5, ["disk-space-state"])):
        root = disk(1, 20, free)
        rows = judge_file_systems(Disks(CONFIGURATION=root, STATE=root, CONTAINER_STORE=root, LOG=root))
        assert [row.id for row in rows] == ids


def test_missing_directory_has_no_row(tmp_path: Path) -> None:
    assert judge_file_systems(Files(tmp_path)) == ()


FILLED = """
mount -t tmpfs -o size=1M none {place} && { head -c 2M /dev/zero >{place}/log 2>/dev/null || true; }
exec {python} -c "
from pathlib import Path
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.file_systems import judge_file_systems
for row in judge_file_systems(Files(Path('{root}'))): print(row.id, row.state, row.text)
"
"""


@pytest.mark.parametrize(
    ("path", "row"),
    [
        (paths.STATE, "disk-space-state"),
        (paths.CONTAINER_STORE, "disk-space-containers"),
        (paths.LOG, "disk-space-log"),
    ],
)
def test_filled_real_file_system_is_reported(tmp_path: Path, path: str, row: str) -> None:
    place = tmp_path / path.lstrip("/")
    place.mkdir(parents=True)
    (tmp_path / "etc/mstunnel").mkdir(parents=True)
    values = {"place": str(place), "python": sys.executable, "root": str(tmp_path)}
    script = FILLED
    for name, value in values.items():
        script = script.replace(f"{{{name}}}", value)
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (f"{row} unhealthy 0.0 of 0.0 GB free\n", "")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("free", "code"), [(0.0, 3), (1.0, 0)])
def test_full_file_system_gives_exit_code_3(
    free: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Files, "space", lambda _files, path: disk(2, 2, free) if path == paths.LOG else None)
    engine = FakeEngine(dict.fromkeys((paths.SERVER, paths.AGENT), ContainerState("running", "healthy")))
    ports = ports_of(tmp_path, engine=engine)
    for module in (status, health):
        monkeypatch.setattr(module, "open_gateway", lambda _operator: nullcontext(ports))
    operator = operator_of(Path("/nowhere"))
    found = status.overview(operator)
    assert found.exit_code == code
    assert rows_of(found, "file_systems")[0]["id"] == "disk-space-log"
    assert any("/var/log/mstunnel" in line for line in lines_of(found)) == bool(code)
    table = health.health(operator)
    assert table.exit_code == code
    assert rows_of(table, "rows")[-1]["id"] == "disk-space-log"
    assert any("Disk space of /var/log/mstunnel" in line for line in lines_of(table))
    for result in (found, table):
        assert ("file-system-full" in [notice.code for notice in result.warnings]) == bool(code)
