"""Someone gives an administrator files to import or take over: judged before they take memory or time."""

import bz2
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast

import pytest

from mstunnel_setup.actions import vendor_gateway
from mstunnel_setup.actions.host import Host
from mstunnel_setup.actions.vendor_gateway import MOST_FILES, BackUpFiles, vendor_tree
from mstunnel_setup.adopt.inventory import take_inventory
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, SetupError
from mstunnel_setup.base.values import JsonObject, as_list, as_object
from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.operations.backup import MANIFEST, SCHEMA, pack, unpack
from mstunnel_setup.operations.upgrade.fetch_releases import fetch_now
from tests import programs
from tests.archives import digest_of, write_archive
from tests.attack.record import record
from tests.parameters import sample
from tests.refusals import refused
from tests.testbed.certificates import Authority
from tests.unit.exchange.publisher import Publisher, release
from tests.unit.fakes import ports_of
from tests.unit.operators import operator_of
from tests.unit.vendor import lay_down

_MEGABYTE = 1 << 20
_ENOUGH = 48 * _MEGABYTE


@contextmanager
def _little_memory() -> Iterator[None]:
    """What is done meanwhile takes little memory."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < _ENOUGH
    finally:
        tracemalloc.stop()


def _link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def _tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(path, "w:") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _sparse(path: Path, format_name: str) -> None:
    """A gigabyte in a file of some kilobytes, as `tar --sparse` writes it."""
    hole = path.parent / "timestamp.json"
    with hole.open("wb") as file:
        file.truncate(1 << 30)
    command = [
        "tar",
        "--sparse",
        f"--format={format_name}",
        "-cf",
        str(path),
        "-C",
        str(path.parent),
        hole.name,
    ]
    subprocess.run(command, check=True)
    hole.unlink()


def _hard_links(path: Path) -> None:
    first = (tarfile.TarInfo("metadata/timestamp.json"), b"x" * _MEGABYTE)
    links = [(_link(f"{n}", "metadata/timestamp.json", tarfile.LNKTYPE), b"") for n in range(1500)]
    _tar(path, first, *links)


def _loop(path: Path) -> None:
    _tar(path, (_link("a", "b", tarfile.SYMTYPE), b""), (_link("b", "a", tarfile.SYMTYPE), b""))


def _endless_names(path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1
    path.write_bytes(3000 * (header.tobuf() + b"a".ljust(512, b"\0")))


ARCHIVES: dict[str, Callable[[Path], None]] = {
    "a sparse gigabyte (GNU)": lambda path: _sparse(path, "gnu"),
    "a sparse gigabyte (POSIX)": lambda path: _sparse(path, "posix"),
    "1,500 hard links to a megabyte": _hard_links,
    "links in a loop": _loop,
    "a dangling hard link": lambda path: _tar(path, (_link("a", "nowhere", tarfile.LNKTYPE), b"")),
    "a link to a file of root": lambda path: _tar(
        path, (_link("metadata/timestamp.json", "/etc/shadow", tarfile.SYMTYPE), b"")
    ),
    "a device": lambda path: _tar(path, (_link("a", "", tarfile.CHRTYPE), b"")),
    "the same name twice": lambda path: _tar(
        path, (tarfile.TarInfo("./a"), b"1"), (tarfile.TarInfo("a"), b"2")
    ),
    "10,000 empty files": lambda path: _tar(path, *((tarfile.TarInfo(f"{n}"), b"") for n in range(10_000))),
    "long names without end": _endless_names,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_feed_archive_is_checked_before_it_is_unpacked(tmp_path: Path, name: str) -> None:
    publisher = Publisher(tmp_path / "publisher")
    publisher.publish(release(1))
    archive, root = tmp_path / "feed.tar", tmp_path / "host"
    ARCHIVES[name](archive)
    root.mkdir()
    operator = operator_of(root)
    for directory in (str(Path(feed.SETTINGS).parent), "/run"):
        operator.files.make_directories(directory)
    operator.files.write(feed.SETTINGS, b'url = "https://feed.invalid"\n')
    operator.files.write(feed.ROOT, publisher.root)
    with _little_memory(), refused(SetupError, "feed-archive-invalid"):
        fetch_now(operator, archive)
    assert feed.read_feed_record(operator.files) is None
    record("file", f"release feed: {name}", "refused before anything is unpacked")


@pytest.mark.parametrize("name", ARCHIVES)
def test_backup_archive_is_checked_before_it_is_unpacked(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "backup.tar"
    ARCHIVES[name](archive)
    subprocess.run(["gzip", str(archive)], check=True)
    packed = (tmp_path / "backup.tar.gz").read_bytes()
    with _little_memory(), refused(SetupError, "backup-invalid"):
        unpack(packed)
    record("file", f"backup: {name}", "refused before anything is unpacked")


@pytest.mark.parametrize("name", ARCHIVES)
def test_image_archive_without_an_index_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "images.tar"
    ARCHIVES[name](archive)
    with refused(SetupError, "image-archive-unusable"):
        archived_images(str(archive))
    record("file", f"image archive: {name}", "refused")


# A process with 64 MiB more than it has after its start reads an archive, and prints what became of it.
_READS_IMAGES = """
import pathlib, resource, sys
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.containers.archive import archived_images, loadable, packed
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + (64 << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
archive, digest = sys.argv[1:]
try:
    image = loadable(archive, digest)
    print("sent", sum(map(len, packed(archive, image, "localhost/x:1", "podman"))))
except SetupError as error:
    print(error.code)
"""


def _pax(path: Path, keyword: str) -> None:
    """A file of 8 bytes that an attribute makes a gigabyte."""
    record = f" {keyword}={1 << 30}\n"
    record = f"{len(record) + 2}{record}"
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    file = tarfile.TarInfo("index.json")
    _tar(path, (header, record.encode()), (file, b"12345678"))


def _long_header(path: Path, kind: bytes) -> None:
    """A header that is followed by a name, or by attributes, of 4 GiB; on the disk it is a hole."""
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 4 << 30
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT))
    with path.open("r+b") as file:
        file.truncate((4 << 30) + 1024)


def _many_headers(path: Path) -> None:
    headers = (tarfile.TarInfo(f"{number}").tobuf(tarfile.GNU_FORMAT) for number in range(300_000))
    path.write_bytes(b"".join(headers))


def _compressed(path: Path) -> None:
    """An index of 4 GiB in less than a megabyte."""
    header = tarfile.TarInfo("index.json")
    header.size = 4 << 30
    zeros = bz2.compress(bytes(16 << 20))
    path.write_bytes(bz2.compress(header.tobuf(tarfile.GNU_FORMAT)) + zeros * 256)


_LAYER: Final = b"a layer"
_MANIFEST: Final = json.dumps(
    {
        "config": {"digest": digest_of(b"{}"), "size": 2},
        "layers": [{"digest": digest_of(_LAYER), "size": len(_LAYER)}],
    }
).encode()


def _image(path: Path, layer: bytes, *, size: int = 0) -> None:
    """An archive of the image that is asked for, with another layer; with `size` it ends with a hole."""
    index = {"manifests": [{"digest": digest_of(_MANIFEST)}]}
    named = {digest_of(_MANIFEST): _MANIFEST, digest_of(b"{}"): b"{}"}
    files = {f"blobs/{digest.replace(':', '/')}": blob for digest, blob in named.items()}
    write_archive(path, {"index.json": json.dumps(index).encode(), **files})
    member = tarfile.TarInfo(f"blobs/{digest_of(_LAYER).replace(':', '/')}")
    member.size = size or len(layer)
    with path.open("r+b") as file:
        # Where tarfile wrote the end of the archive.
        file.seek(2 * 512 * (len(files) + 1))
        file.write(member.tobuf(tarfile.GNU_FORMAT) + layer)
        file.truncate(file.tell() + member.size + 1024)


# The archive, and the code of the refusal.
BOMBS: Final[dict[str, tuple[Callable[[Path], None], str]]] = {
    "4 GiB in a megabyte (bzip2)": (_compressed, "image-archive-unusable"),
    "a name of 4 GiB": (lambda path: _long_header(path, tarfile.GNUTYPE_LONGNAME), "image-archive-unusable"),
    "attributes of 4 GiB": (lambda path: _long_header(path, tarfile.XHDTYPE), "image-archive-unusable"),
    "attributes of 4 GiB for all": (
        lambda path: _long_header(path, tarfile.XGLTYPE),
        "image-archive-unusable",
    ),
    "another size in an attribute": (lambda path: _pax(path, "size"), "image-archive-unusable"),
    "a sparse size in an attribute": (lambda path: _pax(path, "GNU.sparse.size"), "image-archive-unusable"),
    "300,000 empty files": (_many_headers, "image-archive-unusable"),
    "a layer of 100 GiB": (lambda path: _image(path, b"", size=100 << 30), "image-archive-damaged"),
    "another layer of the same size": (lambda path: _image(path, _LAYER.upper()), "image-archive-damaged"),
}


def _read_images(archive: Path) -> str:
    """What becomes of an archive in a process with little memory, in bounded time."""
    command = [sys.executable, "-c", _READS_IMAGES, str(archive), digest_of(_MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", BOMBS)
def test_image_archive_is_checked_before_the_engine_gets_it(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "images.tar"
    bomb, code = BOMBS[name]
    bomb(archive)
    assert _read_images(archive) == code
    record("file", f"image archive: {name}", "refused in little memory, nothing is sent")


def test_the_image_that_is_asked_for_is_sent(tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    _image(archive, _LAYER)
    assert _read_images(archive).startswith("sent ")


_AUTHORITY: Final = Authority().pem
# What a backup may bring, and what is then shown before anything is trusted.
TRUSTED: Final[dict[str, tuple[dict[str, bytes], dict[str, object], str]]] = {
    "another release feed": (
        {feed.SETTINGS: b'url = "https://evil.invalid"', feed.ROOT: b"{}"},
        {},
        f"SHA-256 {hashlib.sha256(b'{}').hexdigest()}",
    ),
    "a list of releases": ({CATALOGUE: b"[[releases]]"}, {}, "list of releases: SHA-256 "),
    "a trusted authority": ({f"{paths.CA_TRUST}/evil.crt": _AUTHORITY}, {}, "CN=Tunnel testbed, SHA-256 "),
    "an authority of devices": (
        {DEVICE_AUTHORITY: _AUTHORITY},
        {},
        "authority of devices: CN=Tunnel testbed",
    ),
    "another image": (
        {},
        {"images.server": f"evil.invalid/gateway@{digest_of(b'')}"},
        "evil.invalid/gateway@",
    ),
    "another place to sign in": (
        {},
        {
            "tenant.cloud": "custom",
            "tenant.authority": "https://evil.invalid",
            "tenant.graph": "https://evil.invalid",
        },
        "tenant.authority: https://evil.invalid",
    ),
    "another issuer of tokens": (
        {},
        {"tenant.issuer": "https://evil.invalid/"},
        "tenant.issuer: https://evil",
    ),
    "other rules for tokens": ({}, {"token.scope": "openid"}, "token.scope: openid"),
}


def _restored(tmp_path: Path, files: dict[str, bytes], answers: dict[str, object], *more: str) -> JsonObject:
    """What the real program answers when it is to restore this archive on an empty host."""
    manifest = {"schema": SCHEMA, "answers": answers, "server_name": "gw1"}
    (tmp_path / "backup.tar.gz").write_bytes(pack({MANIFEST: json.dumps(manifest).encode(), **files}))
    for directory in ("etc", "run", "var"):
        (tmp_path / "host" / directory).mkdir(parents=True, exist_ok=True)
    program, options = programs.path("mst-cli"), ("--unattended", "--output", "json", *more)
    done = subprocess.run(
        [program, "restore", tmp_path / "backup.tar.gz", "--root", tmp_path / "host", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    envelope: JsonObject = json.loads(done.stdout)
    return envelope


@pytest.mark.parametrize("name", TRUSTED)
def test_nothing_of_a_backup_is_trusted_without_a_word(tmp_path: Path, name: str) -> None:
    files, answers, shown = TRUSTED[name]
    error = as_object(as_list(_restored(tmp_path, files, answers)["errors"])[0])
    assert (error["code"], shown in str(error["message"])) == ("backup-trust-unconfirmed", True), error
    assert not [path for path in (tmp_path / "host").rglob("*") if path.name in map(os.path.basename, files)]
    agreed = as_object(as_list(_restored(tmp_path, files, answers, "--trust-backup")["errors"])[0])
    assert agreed["code"] != "backup-trust-unconfirmed"
    record("file", f"backup: {name}", "shown with its digest, trusted only when that is confirmed")


def _nested(top: Path) -> None:
    """1,500 directories in each other; the path is longer than the system takes at once."""
    here = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("nested", dir_fd=here)
        below = os.open("nested", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def _sparse_file(top: Path) -> None:
    with (top / "ocserv.conf").open("wb") as file:
        file.truncate(8 << 30)


def _many_files(top: Path) -> None:
    for number in range(MOST_FILES + 1):
        (top / str(number)).touch()


def _many_large_files(top: Path) -> None:
    for number in range(20):
        with (top / str(number)).open("wb") as file:
            file.truncate(60 << 20)


OF_VENDOR = {
    "1,500 nested directories": _nested,
    "a sparse file of 8 GiB": _sparse_file,
    "more files than any gateway has": _many_files,
}


def _vendor_host(root: Path, attack: Callable[[Path], None]) -> Files:
    top = root / "etc/mstunnel"
    top.mkdir(parents=True)
    attack(top)
    return Files(root)


@pytest.mark.parametrize(
    "name", sample(OF_VENDOR, kept=("1,500 nested directories", "a sparse file of 8 GiB"))
)
def test_gateway_to_adopt_is_checked_before_its_files_are_read(tmp_path: Path, name: str) -> None:
    """Its directory may belong to the account of a gateway without root."""
    ports = SimpleNamespace(files=_vendor_host(tmp_path, OF_VENDOR[name]), processes=Processes())
    with _little_memory(), refused(CheckError, "vendor-files-unbounded") as caught:
        take_inventory(cast("Host", ports))
    assert len(caught.value.message) < 400
    record("file", f"adopt inventory: {name}", "refused before it is read")


NAMED: dict[str, Callable[[Path], None]] = {
    "a sparse file of 8 GiB": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 8 << 30),
    "a named pipe": os.mkfifo,
    "an endless device": lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5)),
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("linked", [False, True], ids=["named", "linked"])
def test_what_its_configuration_names_is_read_within_bounds(tmp_path: Path, name: str, linked: bool) -> None:
    """The account of a gateway without root writes its ocserv.conf, and owns what it names."""
    lay_down(tmp_path)
    (tmp_path / "home").mkdir()
    for kind in ("crt", "key"):
        NAMED[name](tmp_path / f"home/mine.{kind}")
        if linked:
            (tmp_path / f"etc/mstunnel/linked.{kind}").symlink_to(f"/home/mine.{kind}")
    mine = "/etc/mstunnel/linked" if linked else "/home/mine"
    (tmp_path / "etc/mstunnel/ocserv.conf").write_text(f"server-cert = {mine}.crt\nserver-key = {mine}.key\n")
    with _little_memory():
        found = take_inventory(ports_of(tmp_path)).certificate
    assert (found.chain, found.fingerprint) == ("/home/mine.crt", "")
    assert "/home/mine.crt" in found.problems[0]
    assert all(found.hints)
    record("file", f"adopt inventory: {name} as certificate ({'linked' if linked else 'named'})", "not read")


@pytest.mark.parametrize(
    "name", sample([*OF_VENDOR, "1.2 GiB in 20 files"], kept=("a sparse file of 8 GiB",))
)
def test_the_backup_of_a_gateway_to_take_over_is_bounded(tmp_path: Path, name: str) -> None:
    files = _vendor_host(tmp_path, {**OF_VENDOR, "1.2 GiB in 20 files": _many_large_files}[name])
    ports = cast("Host", SimpleNamespace(files=files))
    with refused(CheckError, "vendor-files-unbounded"):
        BackUpFiles(path="/var/lib/mstunnel/backup.tar", sources=("/etc/mstunnel",)).apply(ports, {})
    assert files.names("/var/lib/mstunnel") == []
    record("file", f"adopt backup: {name}", "refused, and nothing is left of it")


@pytest.mark.parametrize(("limit", "most"), [("LARGEST_TREE", 2999), ("MOST_FILES", 2)])
def test_files_of_a_gateway_to_adopt_have_a_total_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(bytes(1000))
    files = Files(tmp_path)
    assert len([*vendor_tree(files, "/")]) == 4
    monkeypatch.setattr(vendor_gateway, limit, most)
    with refused(CheckError, "vendor-files-unbounded"):
        list(vendor_tree(files, "/"))


def test_backup_of_a_gateway_to_adopt_is_not_packed_in_memory(tmp_path: Path) -> None:
    def large(top: Path) -> None:
        for number in range(12):
            (top / str(number)).write_bytes(bytes(8 * _MEGABYTE))

    files = _vendor_host(tmp_path, large)
    ports = cast("Host", SimpleNamespace(files=files))
    with _little_memory():
        made = BackUpFiles(path="/var/lib/mstunnel/backup.tar", sources=("/etc/mstunnel",)).apply(ports, {})
    assert made["sha256"] == files.digest("/var/lib/mstunnel/backup.tar")
