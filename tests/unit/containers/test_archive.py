"""Archives tell their digests before anything is loaded."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.containers.archive import Archived, archived_images
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
    with pytest.raises(EngineError, match="Docker's own") as caught:
        archived_images(_archive(tmp_path / "a", "manifest.json", b"[]"))
    assert "--format oci-archive" in caught.value.hint
