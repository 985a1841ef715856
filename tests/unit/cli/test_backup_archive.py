"""A file to be restored is judged before anything is written: it may have come from anywhere."""

import gzip
import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.exchange.upgrade_history import render_history
from mstunnel_setup.operations import backup
from mstunnel_setup.operations.backup import (
    LARGEST,
    MANIFEST,
    MOST_FILES,
    SCHEMA,
    UPGRADES,
    pack,
    restore,
    unpack,
)
from tests.refusals import refused
from tests.unit.exchange.test_record import history, upgrade
from tests.unit.operators import operator_of

_GOOD = {"schema": SCHEMA, "server_name": "gw1"}


def _packed(manifest: bytes | None = None, **files: bytes) -> bytes:
    return pack({MANIFEST: json.dumps(_GOOD).encode() if manifest is None else manifest, **files})


def _tar(*members: tarfile.TarInfo) -> bytes:
    """An archive with these members besides a good manifest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        content = json.dumps(_GOOD).encode()
        head = tarfile.TarInfo(MANIFEST)
        head.size = len(content)
        archive.addfile(head, io.BytesIO(content))
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return gzip.compress(packed.getvalue())


def _member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, "/etc/shadow"
    return member


_LONG_NAME = _member("x", tarfile.GNUTYPE_LONGNAME, 1).tobuf() + b"a".ljust(512, b"\0")
HOSTILE = {
    "a bomb": gzip.compress(b"\0" * 200_000_000, 9),
    "zeros": _packed(**{"etc/mstunnel/env.sh": b"\0" * 15_000_000}),
    "a file larger than any": _tar(_member("etc/mstunnel/env.sh", size=LARGEST + 1)),
    "many files": _tar(*(_member(f"etc/mstunnel/ca-trust/{number}.crt") for number in range(MOST_FILES + 1))),
    "a long path": _tar(_member("etc/mstunnel/ca-trust/" + "a" * 300)),
    "the same file twice": _tar(_member("etc/mstunnel/env.sh"), _member("etc/mstunnel/env.sh")),
    "a link": _tar(_member("etc/mstunnel/env.sh", tarfile.SYMTYPE)),
    "a hard link": _tar(_member("etc/mstunnel/env.sh", tarfile.LNKTYPE)),
    "a device": _tar(_member("etc/mstunnel/env.sh", tarfile.CHRTYPE)),
    "a pipe": _tar(_member("etc/mstunnel/env.sh", tarfile.FIFOTYPE)),
    "long names without end": gzip.compress(5000 * _LONG_NAME),
    "a deep manifest": _packed(b"[" * 100_000),
    "a deep manifest of objects": _packed(b'{"a":' * 100_000),
    "no number": _packed(json.dumps({**_GOOD, "answers": {"a": float("nan")}}).encode()),
    "half a character": _packed(b'{"schema": "mstunnel-backup/1", "server_name": "\\ud800"}'),
    "answers that are none": _packed(json.dumps({**_GOOD, "answers": [1]}).encode()),
    "a site without id": _packed(json.dumps({**_GOOD, "site": {"name": "x"}}).encode()),
    "a name that is none": _packed(json.dumps({**_GOOD, "server_name": {"a": 1}}).encode()),
    "an upgrade to go on with": _packed(
        **{UPGRADES.lstrip("/"): render_history(history(upgrade("a", "b", None)))}
    ),
    "something after it": _packed() + b"more",
    "half of it": _packed()[:-20],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_takes_no_memory(name: str) -> None:
    tracemalloc.start()
    with pytest.raises(UsageError) as caught:
        unpack(HOSTILE[name])
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == "backup-invalid"
    assert used < 5 * backup.LARGEST_UNPACKED


@given(st.binary(max_size=300), st.integers(0, 400))
def test_any_damage_is_refused_or_harmless(noise: bytes, at: int) -> None:
    good = _packed(**{"etc/mstunnel/env.sh": b"A=1\n"})
    for damaged in (good[:at] + noise + good[at + len(noise) :], gzip.compress(noise)):
        try:
            _manifest, files = unpack(damaged)
        except UsageError as error:
            assert error.code == "backup-invalid"  # noqa: PT017 (either is right)
        else:
            assert set(files) <= {paths.ENVIRONMENT}


def test_a_file_larger_than_any_backup_is_not_read(tmp_path: Path) -> None:
    place = tmp_path / "backup.tar.gz"
    with place.open("wb") as file:
        file.truncate(10**12)
    with refused(UsageError, "backup-invalid"):
        restore(operator_of(tmp_path), {}, place, replace=False)


@pytest.mark.parametrize(
    ("archive", "part"),
    [
        (_packed(json.dumps({**_GOOD, "version": "9.0", "answers": {"later.key": 1}}).encode()), "later.key"),
        (
            _packed(
                json.dumps({**_GOOD, "version": "9.0"}).encode(),
                **{UPGRADES.lstrip("/"): b'{"version": 2, "upgrades": []}'},
            ),
            "history of upgrades",
        ),
    ],
    ids=["answers", "upgrades"],
)
def test_what_only_a_newer_version_knows_is_named_with_that_version(archive: bytes, part: str) -> None:
    with refused(UsageError, "backup-not-understood") as caught:
        unpack(archive)
    assert "version 9.0 wrote" in caught.value.message
    assert part in caught.value.message


def test_upgrades_that_have_ended_are_kept() -> None:
    content = render_history(history(upgrade("a", "b")))
    assert unpack(_packed(**{UPGRADES.lstrip("/"): content}))[1] == {UPGRADES: content}
