"""Archives tell their digests before anything is loaded."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.containers.archive import Archived, archived_images
from mstunnel_setup.containers.oci_archive import each
from mstunnel_setup.errors import EngineError

_DIGEST = "sha256:" + "ab" * 32


def _archive(path: Path, name: str, content: bytes, mode: Any = "w") -> str:
    with tarfile.open(path, mode) as opened:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        opened.addfile(member, io.BytesIO(content))
    return str(path)


def _index(*manifests: dict[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()


@pytest.mark.parametrize("name", ["index.json", "./index.json"])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_digest_and_name_are_read(tmp_path: Path, name: str, mode: str) -> None:
    manifest = {"digest": _DIGEST, "annotations": {"org.opencontainers.image.ref.name": "localhost/a:1"}}
    archive = _archive(tmp_path / "a", name, _index(manifest, {"digest": _DIGEST}), mode)
    assert archived_images(archive) == (Archived(_DIGEST, "localhost/a:1"), Archived(_DIGEST, ""))


@pytest.mark.parametrize(
    ("name", "content"),
    [("manifest.json", b"[]"), ("index.json", b"{"), ("index.json", b"{}"), ("index.json", b"[]")],
)
def test_another_format_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(EngineError, match="not an image archive in OCI format") as caught:
        archived_images(_archive(tmp_path / "a", name, content))
    assert caught.value.code == "image-archive-unusable"


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not exist"):
        archived_images(str(tmp_path / "none"))
    (tmp_path / "damaged").write_bytes(b"\0" * 100)
    with pytest.raises(EngineError, match="not an image archive"):
        archived_images(str(tmp_path / "damaged"))


def test_docker_names_an_image_in_full(tmp_path: Path) -> None:
    """`docker save` of Docker 25 and newer: the usual annotation holds the tag alone."""
    annotations = {
        "io.containerd.image.name": "docker.io/library/a:1",
        "org.opencontainers.image.ref.name": "1",
    }
    archive = _archive(tmp_path / "a", "index.json", _index({"digest": _DIGEST, "annotations": annotations}))
    assert archived_images(archive) == (Archived(_DIGEST, "docker.io/library/a:1"),)


def test_the_format_without_digests_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="but in Docker's") as caught:
        archived_images(_archive(tmp_path / "a", "manifest.json", b"[]"))
    assert "--format oci-archive" in caught.value.hint


def _image(blobs: Path, name: str) -> str:
    """Write an image of one layer among `blobs`; the digest of its manifest."""

    def blob(content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return f"sha256:{digest}"

    parts = {"config": {"digest": blob(f"{name}-config".encode())}}
    layers = [{"digest": blob(b"shared")}, {"digest": blob(name.encode() * 1000)}]
    return blob(json.dumps({**parts, "layers": layers}).encode())


def test_each_image_of_an_archive_becomes_a_separate_archive(tmp_path: Path) -> None:
    blobs = tmp_path / "layout/blobs/sha256"
    blobs.mkdir(parents=True)
    digests = [_image(blobs, name) for name in ("gateway", "agent")]
    (tmp_path / "layout/index.json").write_bytes(_index(*({"digest": digest} for digest in digests)))
    (tmp_path / "layout/oci-layout").write_text("{}")
    with tarfile.open(tmp_path / "both", "w") as opened:
        opened.add(tmp_path / "layout", ".")
    for digest, content in zip(digests, each(str(tmp_path / "both")), strict=True):
        one = tmp_path / "one"
        one.write_bytes(b"".join(content))
        assert archived_images(str(one)) == (Archived(digest, ""),)
        with tarfile.open(one) as opened:
            found = {member.name: opened.extractfile(member) for member in opened}
        assert len(found) == len(["index.json", "oci-layout", "manifest", "config", "layer", "layer"])


def test_an_archive_with_one_image_stays_as_it_is(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a", "index.json", _index({"digest": _DIGEST}))
    (content,) = (b"".join(content) for content in each(archive))
    assert content == Path(archive).read_bytes()
