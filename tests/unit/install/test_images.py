"""Step `images`: images are pulled or loaded from the given archives, always by digest."""

import json
from pathlib import Path

import pytest

from mstunnel_setup.actions.containers import LoadImage, PullImage
from mstunnel_setup.base.errors import EngineError, ExitCode
from mstunnel_setup.containers.engine import Image
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import images
from tests.archives import write_archive
from tests.refusals import refused
from tests.unit.install.scenes import AGENT_IMAGE, IMAGES, SERVER_IMAGE, Scene

_SERVER, _AGENT = SERVER_IMAGE.partition("@")[2], AGENT_IMAGE.partition("@")[2]


def _archive(path: Path, *digests: str) -> str:
    index = json.dumps({"manifests": [{"digest": digest} for digest in digests]}).encode()
    return write_archive(path, {"index.json": index})


def _brought(run: Run) -> list[tuple[str, str]]:
    """Return the source of each image: a registry (empty) or an archive."""
    actions = images.STEP.decide(images.STEP.gather(run))
    return [
        (action.reference, getattr(action, "archive", ""))
        for action in actions
        if isinstance(action, PullImage | LoadImage)
    ]


def test_images_are_pulled_by_digest_or_loaded_from_archives(scene: Scene, tmp_path: Path) -> None:
    both = _archive(tmp_path / "both.tar", _AGENT, _SERVER)
    agent, server = _archive(tmp_path / "agent.tar", _AGENT), _archive(tmp_path / "server.tar", _SERVER)
    for given, of_server, of_agent in (((), "", ""), ((both,), both, both), ((agent, server), server, agent)):
        run = scene.opened(**IMAGES, images__archive=given)
        assert _brought(run) == [(SERVER_IMAGE, of_server), (AGENT_IMAGE, of_agent)]


def test_offline_nothing_is_pulled_because_an_archive_lacks_it(scene: Scene, tmp_path: Path) -> None:
    archive = _archive(tmp_path / "server.tar", _SERVER)
    with pytest.raises(EngineError) as caught:
        images.STEP.gather(scene.opened(**IMAGES, images__archive=(archive,)))
    assert (caught.value.code, caught.value.exit_code) == ("image-not-in-archive", ExitCode.ENGINE)
    assert archive in caught.value.message
    assert f"not {AGENT_IMAGE}" in caught.value.message


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_file_that_is_not_an_image_archive_is_refused(
    scene: Scene, tmp_path: Path, content: bytes | None
) -> None:
    archive = tmp_path / "images.tar"
    if content is not None:
        archive.write_bytes(content)
    with refused(EngineError, "image-archive-unusable"):
        images.STEP.gather(scene.opened(**IMAGES, images__archive=(str(archive),)))


def test_loaded_images_are_reloaded_from_the_same_archive(scene: Scene, tmp_path: Path) -> None:
    """`mst-cli install` does the same; the archive beside the program is not a stored answer."""
    archive = _archive(tmp_path / "both.tar", _AGENT, _SERVER)
    for reference in (SERVER_IMAGE, AGENT_IMAGE):
        action = {"kind": "load-image", "reference": reference, "archive": archive}
        scene.finished(action, f"image:{reference}", {})
    both = [(SERVER_IMAGE, archive), (AGENT_IMAGE, archive)]
    assert _brought(scene.opened(**IMAGES)) == both

    Path(archive).unlink()
    for given in ({}, {"images.archive": [archive]}):
        scene.remember("answers", given)
        with refused(EngineError, "image-archive-gone", archive):
            images.STEP.gather(scene.opened(**IMAGES))
    moved = _archive(tmp_path / "moved.tar", _AGENT, _SERVER)
    brought = _brought(scene.opened(**IMAGES, images__archive=(moved,)))
    assert brought == [(SERVER_IMAGE, moved), (AGENT_IMAGE, moved)]

    digests = {SERVER_IMAGE: _SERVER, AGENT_IMAGE: _AGENT}
    scene.engine.images = {name: Image(name, digest, "1", None) for name, digest in digests.items()}
    assert _brought(scene.opened(**IMAGES)) == both, "nothing is loaded, so no archive is needed"


def test_person_is_prompted_for_images_until_named_by_digest(scene: Scene) -> None:
    assert images.STEP.missing(scene.opened()) == ("images.server", "images.agent")
    scene.prompter.typed = ["registry.example.com/server:latest", SERVER_IMAGE, AGENT_IMAGE]
    run = scene.opened()
    assert _brought(run) == [(SERVER_IMAGE, ""), (AGENT_IMAGE, "")]
    assert run.answers.images.server == SERVER_IMAGE
    assert "by digest" in scene.prompter.said[0]


def test_without_registry_or_archive_the_error_names_the_archive(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ReleaseImages(_SERVER, _AGENT, "mstunnel-images-1.0-amd64.tar", "")
    monkeypatch.setattr(images, "release_images", lambda: own)
    references = {f"images__{name}": value for name, value in own.references(None).items()}
    with refused(EngineError, "image-archive-missing") as caught:
        images.STEP.gather(scene.opened(**references))
    assert "Copy mstunnel-images-1.0-amd64.tar to /var/lib/mstunnel/images" in caught.value.hint
