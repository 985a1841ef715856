"""Actions that bring images to this host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.containers.pull import pull_patiently
from mstunnel_setup.containers.spec import digest_tag, split_reference
from mstunnel_setup.containers.world import HasEngine
from mstunnel_setup.engine.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.engine.values import JsonObject, Outputs
from mstunnel_setup.errors import EngineError

_DIGEST_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class _BringImage(Action[HasEngine]):
    """An image that has to be here as `reference` (`name@sha256:...`)."""

    reference: str

    @property
    def key(self) -> str:
        """The reference: however the image gets here, it is one object."""
        return f"image:{self.reference}"

    def satisfied(self, world: HasEngine, outputs: Outputs) -> bool:  # noqa: ARG002
        """Whether an image with that digest is here under that name."""
        return world.engine.image(self.reference) is not None

    def capture(self, world: HasEngine) -> JsonObject:
        """Whether it was here before us."""
        return {"present": world.engine.image(self.reference) is not None}

    def undo(self, world: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        """Remove it, unless it was here before us or somebody else uses it."""
        if record.before["present"]:
            return Undone(Undo.KEPT, f"{self.reference} was here before")
        present = world.engine.image(self.reference) is not None
        if not all(world.engine.remove_image(name) for name in self._names(record.before)):
            return Undone(Undo.KEPT, f"{self.reference} is used by a container that is not ours")
        return Undone(Undo.REMOVED if present else Undo.ABSENT)

    def _names(self, before: JsonObject) -> Sequence[str]:  # noqa: ARG002
        """The names the image may have because of this action."""
        return (self.reference,)


@dataclass(frozen=True, kw_only=True)
class PullImage(_BringImage):
    """Fetch an image from its registry, within `deadline` seconds in all."""

    kind: ClassVar[str] = "pull-image"
    deadline: float = 1800.0

    def describe(self) -> str:
        """What will be done."""
        return f"fetch image {_short(self.reference)}"

    def apply(self, world: HasEngine, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Fetch it. What an interrupted run has fetched of it is used or discarded by the engine."""
        image = pull_patiently(world.engine, world.clock, self.reference, self.deadline, world.progress)
        return {"id": image.id}


@dataclass(frozen=True, kw_only=True)
class LoadImage(_BringImage):
    """Load an image from an archive file in OCI format; only the digest in `reference` is accepted."""

    kind: ClassVar[str] = "load-image"
    archive: str

    def describe(self) -> str:
        """What will be done."""
        return f"load image {_short(self.reference)} from {self.archive}"

    def capture(self, world: HasEngine) -> JsonObject:
        """Also the names in the archive: loading gives them to the image, and undo has to take them away."""
        full_names = [image.name for image in archived_images(self.archive) if "/" in image.name]
        return {**super().capture(world), "names": [*full_names]}

    def apply(self, world: HasEngine, outputs: Outputs) -> JsonObject:  # noqa: ARG002
        """Load it, and give it the name of the reference if the archive knows it by another or none."""
        _, digest = split_reference(self.reference)
        # Judged before anything is loaded, so that a wrong archive leaves nothing behind.
        self._require_digest(digest, [image.digest for image in archived_images(self.archive)])
        images = world.engine.load(self.archive)
        self._require_digest(digest, [image.digest for image in images])
        image = next(image for image in images if image.digest == digest)
        if world.engine.image(self.reference) is None:
            # Engines find `name@digest` only when the image has some tag of that name.
            world.engine.tag(image.id, digest_tag(self.reference))
        return {"id": image.id}

    def _names(self, before: JsonObject) -> Sequence[str]:
        names = before["names"]
        return (digest_tag(self.reference), *(map(str, names) if isinstance(names, list) else ()))

    def _require_digest(self, digest: str, found: Sequence[str]) -> None:
        if digest not in found:
            raise EngineError(
                "image-digest-mismatch",
                f"{self.archive} holds {', '.join(found) or 'nothing'}, not {digest}",
                "Copy the archive that belongs to this version, or correct the reference.",
            )


def _short(reference: str) -> str:
    name, digest = split_reference(reference)
    return f"{name}@{digest.removeprefix('sha256:')[:_DIGEST_SHOWN]}"
