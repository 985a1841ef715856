"""Archives are checked for their digests before anything is loaded."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.archive import ArchivedImage, archived_images, loadable, packed
from mstunnel_setup.containers.engine_options import EngineName
from tests.archives import digest_of, write_archive
from tests.refusals import refused

_DIGEST = "sha256:" + "ab" * 32
_NAME = "localhost/server:sha256-abababababab"
# The content is empty.
_PART = {"digest": digest_of(b""), "size": 0}
_PART_PATH = f"blobs/{digest_of(b'').replace(':', '/')}"


def _index(*manifests: dict[str, Any]) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()


@pytest.mark.parametrize("name", ["index.json", "./index.json"])
def test_digest_and_name_are_read(tmp_path: Path, name: str) -> None:
    manifest = {"digest": _DIGEST, "annotations": {"org.opencontainers.image.ref.name": "localhost/a:1"}}
    index = _index(manifest, {"digest": _DIGEST})
    archive = write_archive(tmp_path / "a", {name: index})
    assert archived_images(archive) == (ArchivedImage(_DIGEST, "localhost/a:1"), ArchivedImage(_DIGEST, ""))


@pytest.mark.parametrize(
    ("name", "content"),
    [("manifest.json", b"[]"), ("index.json", b"{"), ("index.json", b"{}"), ("index.json", b"[]")],
)
def test_another_format_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    with refused(EngineError, "image-archive-unusable", match="not an image archive in OCI format"):
        archived_images(write_archive(tmp_path / "a", {name: content}))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_archive_is_refused(tmp_path: Path, mode: str) -> None:
    archive = write_archive(tmp_path / "a", {"index.json": _index()}, mode)
    with refused(EngineError, "image-archive-unusable", match="the file is compressed"):
        archived_images(archive)


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="does not exist"):
        archived_images(str(tmp_path / "none"))
    (tmp_path / "damaged").write_bytes(b"\0" * 100)
    with pytest.raises(EngineError, match="not an image archive"):
        archived_images(str(tmp_path / "damaged"))


def test_full_name_of_dockers_annotation_is_read(tmp_path: Path) -> None:
    """Check `docker save` of Docker 25 and newer: the usual annotation has only the tag."""
    annotations = {
        "io.containerd.image.name": "docker.io/library/a:1",
        "org.opencontainers.image.ref.name": "1",
    }
    index = _index({"digest": _DIGEST, "annotations": annotations})
    archive = write_archive(tmp_path / "a", {"index.json": index})
    assert archived_images(archive) == (ArchivedImage(_DIGEST, "docker.io/library/a:1"),)


def test_docker_format_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="but in Docker's") as caught:
        archived_images(write_archive(tmp_path / "a", {"manifest.json": b"[]"}))
    assert "--format oci-archive" in caught.value.hint


def _layout(path: Path, *images: bytes, index: bytes = b"", named: Mapping[str, bytes] = {}) -> str:
    """Write an OCI archive with these manifests; `named` has further files by path."""
    digests = [digest_of(image) for image in images]
    blobs = {
        f"blobs/{digest.replace(':', '/')}": image for digest, image in zip(digests, images, strict=True)
    }
    files = {**blobs, "index.json": index or _index(*({"digest": digest} for digest in digests))}
    return write_archive(path, {"oci-layout": b"{}", **files, **named})


def _packed(archive: str, manifest: bytes, engine: EngineName = "podman") -> bytes:
    """Return the archive that an engine gets of the image with this manifest."""
    return b"".join(packed(archive, loadable(archive, digest_of(manifest)), _NAME, engine))


def _image(name: str) -> tuple[bytes, dict[str, bytes]]:
    """Return the manifest of an image with two layers, and its files."""
    config, layers = f"{name}-config".encode(), (b"shared", name.encode() * 1000)
    described = [{"digest": digest_of(blob), "size": len(blob)} for blob in (config, *layers)]
    manifest = json.dumps({"config": described[0], "layers": described[1:]}).encode()
    blobs = (config, *layers)
    return manifest, {f"blobs/{digest_of(blob).replace(':', '/')}": blob for blob in blobs}


def test_an_engine_gets_one_image_and_its_files(tmp_path: Path) -> None:
    (gateway, files), (agent, more) = _image("gateway"), _image("agent")
    both = _layout(tmp_path / "both", gateway, agent, named={**files, **more})
    for manifest in (gateway, agent):
        one = tmp_path / "one"
        one.write_bytes(_packed(both, manifest))
        assert archived_images(str(one)) == (ArchivedImage(digest_of(manifest), _NAME),)
        with tarfile.open(one) as opened:
            found = {member.name: opened.extractfile(member) for member in opened}
        assert len(found) == len(["index.json", "oci-layout", "manifest", "config", "layer", "layer"])


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_names_of_an_archive_are_not_passed_to_an_engine(tmp_path: Path, engine: EngineName) -> None:
    names = {
        "io.containerd.image.name": "docker.io/library/other:1",
        "org.opencontainers.image.ref.name": "localhost/other:1",
    }
    manifest = json.dumps({"config": _PART, "layers": []}).encode()
    digest = digest_of(manifest)
    index = _index({"digest": digest, "size": 7, "annotations": names})
    named = {_PART_PATH: b"", "manifest.json": b'[{"RepoTags": ["localhost/other:1"]}]'}
    archive = _layout(tmp_path / "a", manifest, index=index, named=named)
    (tmp_path / "b").write_bytes(_packed(archive, manifest, engine))
    assert b"other" not in (tmp_path / "b").read_bytes()
    assert archived_images(str(tmp_path / "b")) == (ArchivedImage(digest, _NAME),)


def test_sparse_layer_is_not_expanded(tmp_path: Path) -> None:
    layer = {"digest": "sha256:" + "cd" * 32, "size": 1 << 30}
    manifest = json.dumps({"config": _PART, "layers": [layer]}).encode()
    unpacked, archive = tmp_path / "unpacked", str(tmp_path / "b")
    shutil.unpack_archive(
        _layout(tmp_path / "a", manifest, named={_PART_PATH: b""}), unpacked, "tar", filter="data"
    )
    with (unpacked / "blobs/sha256" / ("cd" * 32)).open("wb") as file:
        file.truncate(1 << 30)
    subprocess.run(["tar", "--sparse", "-cf", archive, "-C", str(unpacked), "."], check=True)
    assert Path(archive).stat().st_size < 1 << 20
    with refused(EngineError, "image-archive-unusable", match="is not a regular file"):
        loadable(archive, digest_of(manifest))


def test_an_archive_without_the_image_is_refused(tmp_path: Path) -> None:
    archive = _layout(tmp_path / "a", b"another")
    with refused(EngineError, "image-digest-mismatch", match=f"contains sha256:.*, not {_DIGEST}"):
        loadable(archive, _DIGEST)


_HOSTILE_MANIFESTS = {
    "nested too deep": b"[" * 100_000,
    "no object": b"[]",
    "no text": b"\xff\xfe",
    "no layers": json.dumps({"config": _PART}).encode(),
    "layers that are a number": json.dumps({"config": _PART, "layers": 5}).encode(),
    "a layer that is a number": json.dumps({"config": _PART, "layers": [5]}).encode(),
    "a configuration that is a text": json.dumps({"config": "x", "layers": []}).encode(),
    "a digest that is a list": json.dumps({"config": {"digest": []}, "layers": []}).encode(),
    "a digest that is a path": json.dumps({"config": {"digest": "sha256:../../x"}, "layers": []}).encode(),
    "longer than any": json.dumps({"config": _PART, "layers": [], "more": "x" * (5 << 20)}).encode(),
}


@pytest.mark.parametrize("manifest", _HOSTILE_MANIFESTS.values(), ids=_HOSTILE_MANIFESTS)
def test_a_hostile_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    with refused(EngineError, "image-archive-damaged"):
        loadable(_layout(tmp_path / "a", manifest), digest_of(manifest))


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_archive_without_a_layer_is_refused(tmp_path: Path, engine: EngineName) -> None:
    manifest = json.dumps({"config": _PART, "layers": [{"digest": _DIGEST, "size": 1}]}).encode()
    archive = _layout(tmp_path / "a", manifest, named={_PART_PATH: b""})
    with pytest.raises(EngineError, match=f"blobs/sha256/{_DIGEST[7:]} is missing"):
        _packed(archive, manifest, engine)


@pytest.mark.parametrize(
    ("named", "problem"), [({}, "is missing"), ({_PART_PATH: b"{}"}, "has 2 bytes, and its manifest says 0")]
)
def test_archive_with_a_wrong_configuration_is_refused(
    tmp_path: Path, named: Mapping[str, bytes], problem: str
) -> None:
    manifest = json.dumps({"config": _PART, "layers": []}).encode()
    with refused(EngineError, "image-archive-damaged", match=problem):
        loadable(_layout(tmp_path / "a", manifest, named=named), digest_of(manifest))


@pytest.mark.parametrize("digest", ["sha256:../../x", "md5:aa", "", f"{_DIGEST}\n", 5])
def test_index_with_an_invalid_digest_is_refused(tmp_path: Path, digest: object) -> None:
    with refused(EngineError, "image-archive-unusable"):
        loadable(_layout(tmp_path / "a", index=_index({"digest": digest})), _DIGEST)


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "a", {"index.json": _index({"digest": _DIGEST})})
    with tarfile.open(archive, "a") as opened:
        link = tarfile.TarInfo(f"blobs/sha256/{_DIGEST[7:]}")
        link.type, link.linkname = tarfile.SYMTYPE, _DIGEST[7:]
        opened.addfile(link)
    with refused(EngineError, "image-archive-unusable", match="is not a regular file"):
        loadable(archive, _DIGEST)


def test_layer_with_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    manifest, files = _image("gateway")
    layer = next(path for path, content in files.items() if content == b"shared")
    archive = _layout(tmp_path / "a", manifest, named={**files, layer: b"SHARED"})
    with refused(EngineError, "image-archive-damaged", match="has another digest"):
        loadable(archive, digest_of(manifest))


def test_docker_gets_a_manifest_in_its_format(tmp_path: Path) -> None:
    manifest = json.dumps({"config": _PART, "layers": [_PART]}).encode()
    archive = _layout(tmp_path / "a", manifest, named={_PART_PATH: b""})
    (tmp_path / "b").write_bytes(_packed(archive, manifest, "docker"))
    with tarfile.open(tmp_path / "b") as opened:
        content = opened.extractfile("manifest.json")
        assert content is not None
        entry = {"Config": _PART_PATH, "RepoTags": [_NAME], "Layers": [_PART_PATH]}
        assert json.loads(content.read()) == [entry]
