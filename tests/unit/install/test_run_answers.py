"""A release's program names its images: no prompt, the same digests from archive and registry."""

from pathlib import Path

import pytest

from mstunnel_setup.answers.merge import answered, merge
from mstunnel_setup.containers.release_images import ReleaseImages, release_images
from mstunnel_setup.install import run_answers
from mstunnel_setup.install.run_answers import with_release_images

GATEWAY, AGENT = "sha256:" + "a" * 64, "sha256:" + "b" * 64
ARCHIVE = "mstunnel-images-1.0-amd64.tar"


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the archive beside the program of a release with one registry."""
    own = ReleaseImages(GATEWAY, AGENT, ARCHIVE, "registry.example.com/mstunnel")
    monkeypatch.setattr(run_answers, "release_images", lambda: own)
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(tmp_path / "mstunnel-setup"))
    return tmp_path / ARCHIVE


def test_checkout_names_no_images() -> None:
    assert release_images() is None
    assert with_release_images(merge({}, {})).images.server is None


@pytest.mark.parametrize(
    ("given", "registry"),
    [({}, "registry.example.com/mstunnel"), ({"images.registry": "localhost:5000"}, "localhost:5000")],
)
def test_images_default_to_the_digests_of_the_release(
    beside: Path, given: dict[str, str], registry: str
) -> None:
    images = with_release_images(merge(given, {})).images
    assert (images.server, images.agent) == (f"{registry}/gateway@{GATEWAY}", f"{registry}/agent@{AGENT}")
    assert images.archive == ()


def test_an_archive_that_is_given_comes_first(beside: Path) -> None:
    beside.touch()
    images = with_release_images(merge({"images.archive": "/root/given.tar"}, {})).images
    assert images.archive == ("/root/given.tar",)
    assert images.server == f"registry.example.com/mstunnel/gateway@{GATEWAY}"


def test_images_stay_when_another_question_is_answered(beside: Path) -> None:
    beside.touch()
    answers = answered(with_release_images(merge({}, {})), {"site": "Office"})
    assert answers.images.server == f"registry.example.com/mstunnel/gateway@{GATEWAY}"
    assert answers.images.archive == (str(beside),)
    assert str(answers.origins["images.archive"]) == "default of this release"
    assert answers.record() == {"site": "Office"}


def test_run_stopped_before_loading_finds_the_archive_again(beside: Path) -> None:
    beside.touch()
    first = with_release_images(merge({}, {}))
    earlier = {"images.server": first.images.server, "images.agent": first.images.agent}
    assert with_release_images(merge({}, {}, earlier=earlier)).images.archive == (str(beside),)


def test_images_of_another_release_are_not_read_from_the_archive(beside: Path) -> None:
    beside.touch()
    earlier = {
        f"images.{name}": f"localhost/mstunnel/{name}@sha256:{'c' * 64}" for name in ("server", "agent")
    }
    assert with_release_images(merge({}, {}, earlier=earlier)).images.archive == ()


def test_images_that_are_named_stay(beside: Path) -> None:
    named = {f"images.{name}": f"other.example.com/{name}@{GATEWAY}" for name in ("server", "agent")}
    assert with_release_images(merge(named, {})).images.server == named["images.server"]
