"""The images of a release: small, without tools that no container runs, in one archive that keeps digests."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.containers.archive import archived_images, loadable, packed
from scripts.bundle import debian, dist, image_index
from scripts.bundle import images as release
from tests.bench import image_sizes
from tests.testbed import cache, images
from tests.testbed.images import RELEASED, ImageSet, builder

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def built() -> ImageSet:
    return images.build()


def inspected(reference: str, form: str) -> str:
    with cache.writing():
        return builder("image", "inspect", f"--format={form}", reference).stdout.strip()


def exported(reference: str, directory: Path) -> Path:
    """An archive of what a container of this image begins with."""
    place = directory / "exported.tar"
    with cache.writing():
        container = builder("create", reference).stdout.strip()
        builder("export", f"--output={place}", container, timeout=120)
        builder("rm", container)
    return place


def test_they_are_small() -> None:
    assert image_sizes.measure()["within_limit"]


@pytest.mark.parametrize("name", RELEASED)
def test_they_are_labelled(name: str, built: ImageSet) -> None:
    labels = json.loads(inspected(built[name].reference, "{{json .Labels}}"))
    assert labels["org.opencontainers.image.title"] == f"mstunnel {name}"
    assert labels["org.opencontainers.image.version"] == __version__
    assert {"org.opencontainers.image.description", "org.opencontainers.image.licenses"} <= labels.keys()


def test_the_gateway_can_install_unpack_and_compile_nothing(built: ImageSet) -> None:
    tools = "apt-get dpkg perl python3 gcc cc make tar gzip su mount passwd"
    script = f"for tool in {tools}; do command -v $tool; done; find / -xdev -perm /6000 -type f"
    run = ("run", "--rm", "--network=none", "--entrypoint=sh", built["gateway"].reference, "-c", script)
    with cache.writing():
        assert builder(*run, check=False).stdout == ""


@pytest.mark.parametrize("name", RELEASED)
def test_sbom_lists_exactly_the_file_system(name: str, built: ImageSet, tmp_path: Path) -> None:
    with cache.writing():
        release.write(built, tmp_path, debian.architecture())
    archive = exported(built[name].reference, tmp_path)
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(root)], check=True, timeout=120)
    made = json.loads(next(tmp_path.glob(f"mstunnel-{name}-*.cdx.json")).read_text())
    nested = [each for part in made["components"] for each in part.get("components", [])]
    assert {
        each["name"]: each["hashes"][0]["content"]
        for each in (*made["components"], *nested)
        if each["type"] == "file"
    } == {
        f"/{path.relative_to(root)}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    packages = {each["name"]: each for each in made["components"] if each["type"] == "library"}
    removed = {"gateway": {"apt", "dpkg", "perl-base", "tar"}, "agent": {"libsqlite3-0", "tuf"}}[name]
    assert not removed & packages.keys()
    assert {"gateway": "ocserv", "agent": "busybox-static"}[name] in packages
    for part in packages.values():
        assert part["licenses"], part["name"]
        assert part["components"], part["name"]
        if part["purl"].startswith("pkg:deb/"):
            assert (root / "usr/share/doc" / part["name"] / "copyright").is_file(), part["name"]


def test_gateway_image_depends_on_neither_machine_nor_day(built: ImageSet, tmp_path: Path) -> None:
    with tarfile.open(exported(built["gateway"].reference, tmp_path)) as archive:
        names = set(archive.getnames())
        texts = {}
        for name in ("etc/hostname", "etc/resolv.conf", "etc/shadow"):
            content = archive.extractfile(name) if name in names else None
            texts[name] = content.read().decode() if content else ""
    assert (texts["etc/hostname"], texts["etc/resolv.conf"]) == ("", "")
    days = {line.split(":")[2] for line in texts["etc/shadow"].splitlines()}
    assert days == {str(int(dist.EPOCH) // 86400)}


@pytest.mark.parametrize("name", RELEASED)
def test_image_has_a_shell_for_its_health_check(name: str, built: ImageSet) -> None:
    """Docker runs every check in a shell, Podman turns a list of one word into a shell's command."""
    command = '["/usr/libexec/mstunnel/healthcheck"]'
    with cache.writing():
        made = builder("create", f"--health-cmd={command}", built[name].reference).stdout.strip()
        check = builder("inspect", "--format={{index .Config.Healthcheck.Test 0}}", made).stdout.strip()
        builder("rm", made)
        shell = ("run", "--rm", "--network=none", "--entrypoint=/bin/sh", built[name].reference)
        assert (check, builder(*shell, "-c", "echo ran").stdout) == ("CMD-SHELL", "ran\n")


def test_agent_image_has_only_the_program_and_a_shell(built: ImageSet) -> None:
    script = "find / -xdev -perm /6000 -type f; find /bin /usr/bin /usr/sbin /sbin 2>/dev/null"
    run = ("run", "--rm", "--network=none", "--entrypoint=sh", built["agent"].reference, "-c", script)
    with cache.writing():
        found = builder(*run, check=False).stdout.split()
    programs = ("busybox", "cat", "find", "grep", "sh", "sleep")
    assert sorted(found) == ["/bin", *(f"/bin/{name}" for name in programs)]


def test_one_archive_has_both_under_the_digests_that_are_loaded(
    built: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dist, "DIST", tmp_path)
    with cache.writing():
        monkeypatch.setattr(images, "build_for", lambda _architecture: built)
        release.main()
    archive = tmp_path / f"mstunnel-images-{__version__}-{debian.architecture().debian}.tar"
    first = archive.read_bytes()
    recorded = json.loads((tmp_path / f"images-{debian.architecture().debian}.json").read_text())
    assert [image.digest for image in archived_images(str(archive))] == [
        recorded["gateway"],
        recorded["agent"],
    ]
    for name in RELEASED:
        image = loadable(str(archive), recorded[name])
        (tmp_path / name).write_bytes(b"".join(packed(str(archive), image, f"localhost/{name}:1", "podman")))
        with cache.writing():
            loaded = builder("load", "--quiet", f"--input={tmp_path / name}", timeout=120).stdout.split()[-1]
            digest = builder("image", "inspect", "--format={{.Digest}}", loaded).stdout.strip()
            builder("rmi", loaded)
        assert digest == recorded[name]
        document = json.loads(
            (tmp_path / f"mstunnel-{name}-{__version__}-{debian.here().debian}.cdx.json").read_text()
        )
        assert document["components"]
    with cache.writing():
        release.main()
    assert archive.read_bytes() == first


def test_registry_holds_all_architectures_as_one_image(tmp_path: Path) -> None:
    ids = {name: tiny_archive(name, tmp_path) for name in debian.ARCHITECTURES}
    image_index.write(tmp_path, int(dist.EPOCH))
    both = tmp_path / f"mstunnel-images-{__version__}.tar"
    name = f"{release.NAME}/gateway:{__version__}"
    for architecture, identifier in ids.items():
        with cache.writing():
            pull = ("pull", "--quiet", f"--arch={architecture}", f"oci-archive:{both}:{name}")
            pulled = builder(*pull).stdout.strip()
            assert pulled == identifier
            form = "--format={{.Architecture}}"
            assert builder("image", "inspect", form, pulled).stdout.strip() == architecture
            builder("rmi", pulled)
    kept = [archived_images(str(tmp_path / image_index.archive_of(name)))[0] for name in ids]
    with tarfile.open(both) as opened:
        assert {f"blobs/sha256/{image.digest.partition(':')[2]}" for image in kept} <= set(opened.getnames())
    first = both.read_bytes()
    image_index.write(tmp_path, int(dist.EPOCH))
    assert both.read_bytes() == first


def test_one_architecture_alone_makes_no_archive_for_registries(tmp_path: Path) -> None:
    both = tmp_path / f"mstunnel-images-{__version__}.tar"
    both.write_text("of an earlier build")
    tiny_archive("arm64", tmp_path)
    image_index.write(tmp_path, int(dist.EPOCH))
    assert not both.exists()


def tiny_archive(architecture: str, folder: Path) -> str:
    """The archive of an architecture, as a release names it, of an image with one file; the image's id."""
    (folder / "Containerfile").write_text("FROM scratch\nCOPY file /\n")
    (folder / "file").write_text(architecture)
    target = folder / image_index.archive_of(architecture)
    name = f"{release.NAME}/gateway:{__version__}"
    with cache.writing():
        built = builder("build", "--quiet", f"--platform=linux/{architecture}", str(folder)).stdout.strip()
        builder("push", "--quiet", built, f"oci-archive:{target}:{name}")
        builder("rmi", built)
    return built
