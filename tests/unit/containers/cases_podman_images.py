"""Images with real Podman. Collected by `test_podman.py`, inside a testbed."""

import signal
import time
from pathlib import Path

import pytest
from podman_fixtures import Archives, Ports, podman, record  # type: ignore[import-not-found]
from registry import Registry  # type: ignore[import-not-found]

from mstunnel_setup.actions.containers import LoadImage, PullImage
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.container_spec import digest_tag
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Undo
from tests.refusals import refused
from tests.unit.fakes import no_progress

pytestmark = pytest.mark.podman


def test_pull_by_digest_shows_progress_and_is_undone(
    ports: Ports, slow: Registry, archives: Archives
) -> None:
    action = PullImage(reference=f"{slow.address}/server@{archives.digest}")
    before = action.capture(ports)
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert len(ports.fetched) > 2
    assert ports.fetched == sorted(ports.fetched)
    done, known = ports.fetched[-1]
    assert 4 << 20 < done == known
    assert action.undo(ports, record(before)).outcome is Undo.REMOVED
    assert action.undo(ports, record(before)).outcome is Undo.ABSENT
    assert podman("images", "--quiet") == ""


def test_an_unknown_image_is_an_error_with_a_hint(ports: Ports, registry: Registry) -> None:
    with pytest.raises(EngineError, match="manifest unknown") as caught:
        ports.engine.pull(f"{registry.address}/other@sha256:{'0' * 64}", 20.0, no_progress)
    assert (caught.value.code, caught.value.hint) == (
        "image-pull-failed",
        "Check name and digest of the image.",
    )


def test_image_with_a_wrong_digest_is_refused(ports: Ports, registry: Registry, archives: Archives) -> None:
    wrong = f"sha256:{'1' * 64}"
    registry.blobs[wrong] = registry.blobs[archives.digest]
    with pytest.raises(EngineError, match="cannot pull"):
        ports.engine.pull(f"{registry.address}/server@{wrong}", 20.0, no_progress)
    assert podman("images", "--quiet") == ""


def test_killed_pull_can_be_repeated(ports: Ports, slow: Registry, archives: Archives) -> None:
    reference = f"{slow.address}/server@{archives.digest}"
    puller = Processes().start(["podman", "pull", reference])
    time.sleep(1)
    puller.send_signal(signal.SIGKILL)
    puller.wait()
    slow.delay = 0
    assert ports.engine.image(reference) is None
    assert ports.engine.pull(reference, 30.0, no_progress).digest == archives.digest


@pytest.mark.parametrize("archive", ["named", "nameless"])
def test_loaded_image_is_found_by_its_reference(ports: Ports, archives: Archives, archive: str) -> None:
    reference = f"registry.example/tunnel/server@{archives.digest}"
    action = LoadImage(archive=str(getattr(archives, archive)), reference=reference)
    before = action.capture(ports)
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert action.apply(ports, {})
    assert podman("images", "--format={{.Repository}}:{{.Tag}}") == digest_tag(reference)
    assert ports.engine.run_once(reference, ("sh", "-c", "exit 7"), (), 20).code == 7
    assert action.undo(ports, record(before)).outcome is Undo.REMOVED
    assert podman("images", "--quiet") == ""


def test_image_damaged_by_a_power_failure_counts_as_missing(ports: Ports, archives: Archives) -> None:
    """Check the file that names the layers below an image: Podman does not sync it, so it may be empty."""
    reference = f"registry.example/tunnel/server@{archives.digest}"
    action = LoadImage(archive=str(archives.named), reference=reference)
    action.apply(ports, {})
    podman("create", "--name=box", digest_tag(reference), "true")
    podman("commit", "--quiet", "box", "localhost/upper:1")
    podman("rm", "box")
    digest = podman("image", "inspect", "--format={{.Digest}}", "localhost/upper:1")
    for lower in Path(podman("info", "--format={{.Store.GraphRoot}}"), "overlay").glob("*/lower"):
        lower.write_text("")
    upper = f"localhost/upper@{digest}"
    assert podman("images", "--quiet", "localhost/upper")
    assert ports.engine.image(upper) is None

    LoadImage(archive=str(archives.named), reference=upper).clear_attempt(ports)

    assert podman("images", "--format={{.Repository}}") == "registry.example/tunnel/server"
    assert action.satisfied(ports, {})


def test_content_lost_in_a_power_failure_is_loaded_again(ports: Ports, archives: Archives) -> None:
    """Check an image with empty files, which is complete for Podman."""
    reference = f"registry.example/tunnel/server@{archives.digest}"
    action = LoadImage(archive=str(archives.named), reference=reference)
    action.apply(ports, {})
    graph = Path(podman("info", "--format={{.Store.GraphRoot}}"), "overlay")
    for program in graph.glob("*/diff/bin/*"):
        program.write_bytes(b"")

    action.clear_attempt(ports)
    action.apply(ports, {})

    assert ports.engine.run_once(reference, ("sh", "-c", "exit 7"), (), 20).code == 7


def test_a_docker_archive_is_refused_before_it_is_loaded(ports: Ports, archives: Archives) -> None:
    action = LoadImage(archive=str(archives.docker), reference=f"localhost/origin@{archives.digest}")
    with pytest.raises(EngineError, match="OCI format") as caught:
        action.apply(ports, {})
    assert "--format oci-archive" in caught.value.hint
    assert podman("images", "--quiet") == ""


def test_podman_changes_the_digest_of_a_docker_archive(ports: Ports, archives: Archives) -> None:
    """Check why the format is refused."""
    podman("load", "--quiet", f"--input={archives.docker}")
    assert podman("image", "inspect", "--format={{.Digest}}", "localhost/origin:1") != archives.digest


def test_damaged_archive_is_an_error(ports: Ports, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no archive")
    with refused(EngineError, "image-archive-unusable"):
        ports.engine.load(str(tmp_path / "broken"), f"localhost/origin@sha256:{'ab' * 32}", no_progress)


def test_an_image_in_use_is_kept(ports: Ports, reference: str) -> None:
    podman("create", "--name=other", reference)
    undone = PullImage(reference=reference).undo(ports, record({"present": False}))
    assert undone.outcome is Undo.KEPT
    assert "not ours" in undone.reason
