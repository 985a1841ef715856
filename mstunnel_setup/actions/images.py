"""Actions that pull and load images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers.engine import Image
from mstunnel_setup.containers.ports import HasEngine
from mstunnel_setup.containers.pull import pull_patiently
from mstunnel_setup.containers.spec import digest_tag, split_reference
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_DIGEST_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class _BringImage(Action[HasEngine]):
    """Make the image `reference` (`name@sha256:...`) available on this host."""

    reference: str

    @property
    def key(self) -> str:
        """The reference: a pulled and a loaded image are the same object."""
        return f"image:{self.reference}"

    @override
    def satisfied(self, ports: HasEngine, outputs: Outputs) -> bool:
        return ports.engine.image(self.reference) is not None

    def capture(self, ports: HasEngine) -> JsonObject:
        """Whether the image was there before."""
        return {"present": ports.engine.image(self.reference) is not None}

    @override
    def recover(self, ports: HasEngine) -> None:
        """Begin again: after a power failure an engine takes what is damaged for whole."""
        ports.engine.repair_images()
        for name in (digest_tag(self.reference), self.reference):
            ports.engine.remove_image(name)

    def undo(self, ports: HasEngine, record: UndoRecord[HasEngine]) -> Undone:
        """Remove it, unless it was there before or another container uses it."""
        if record.before["present"]:
            return Undone(Undo.KEPT, f"{self.reference} was there before the installation")
        present = ports.engine.image(self.reference) is not None
        if not all(ports.engine.remove_image(name) for name in self._names(record)):
            return Undone(Undo.KEPT, f"{self.reference} is used by a container that is not ours")
        return Undone(Undo.REMOVED if present else Undo.ABSENT)

    def _facts(self, ports: HasEngine, image: Image) -> JsonObject:
        """The outputs; what a pull or a load tells of `image` has no time."""
        found = ports.engine.image(self.reference)
        return {"id": image.id, "created": found.created.isoformat() if found and found.created else None}

    def _names(self, record: UndoRecord[HasEngine]) -> Sequence[str]:
        """The names the image may have because of us, whether it was pulled or loaded.

        Earlier releases gave it those of the archive too, and recorded them.
        """
        earlier = record.before.get("names")
        names = map(str, earlier) if isinstance(earlier, list) else ()
        # The reference finds the image by any of these names, so it comes last.
        return (digest_tag(self.reference), *names, self.reference)


@dataclass(frozen=True, kw_only=True)
class PullImage(_BringImage):
    """Pull an image from its registry, within `deadline` seconds in all."""

    kind: ClassVar[str] = "pull-image"
    deadline: float = 1800.0

    @override
    def describe(self) -> str:
        return text("pull image {reference}", reference=_short(self.reference))

    @override
    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Pull it. The engine reuses or discards layers of an interrupted pull."""
        image = pull_patiently(ports.engine, ports.clock, self.reference, self.deadline, ports.progress)
        return self._facts(ports, image)


@dataclass(frozen=True, kw_only=True)
class LoadImage(_BringImage):
    """Load an image from an archive file in OCI format; only the digest in `reference` is accepted."""

    kind: ClassVar[str] = "load-image"
    archive: str

    @override
    def describe(self) -> str:
        return text(
            "load image {reference} from {archive}", reference=_short(self.reference), archive=self.archive
        )

    @override
    def apply(self, ports: HasEngine, outputs: Outputs) -> JsonObject:
        """Load it; a wrong archive leaves nothing behind."""
        return self._facts(ports, ports.engine.load(self.archive, self.reference, ports.progress))


def _short(reference: str) -> str:
    name, digest = split_reference(reference)
    return f"{name}@{digest.removeprefix('sha256:')[:_DIGEST_SHOWN]}"
