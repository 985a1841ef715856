"""Actions that pull and load images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.containers.engine import ContainerEngine, Image
from mstunnel_setup.containers.errors import PullError
from mstunnel_setup.containers.spec import Progress, digest_tag, split_reference
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

_DIGEST_SHOWN = 12
# Seconds before the second attempt of a pull, and before the third.
_PAUSES = (1.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class _BringImage(Action):
    """Make the image `reference` (`name@sha256:...`) available on this host."""

    key_template: ClassVar[str] = "image:{reference}"
    reference: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.engine.image(self.reference) is not None

    def capture(self, host: Host) -> JsonObject:
        """Whether the image was there before."""
        return {"present": host.engine.image(self.reference) is not None}

    @override
    def recover(self, host: Host) -> None:
        """Begin again: after a power failure an engine takes what is damaged for whole."""
        host.engine.repair_images()
        for name in (digest_tag(self.reference), self.reference):
            host.engine.remove_image(name)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Remove it, unless it was there before or another container uses it."""
        if record.before["present"]:
            return Undone(Undo.KEPT, f"{self.reference} was there before the installation")
        present = host.engine.image(self.reference) is not None
        if not all(host.engine.remove_image(name) for name in self._names(record)):
            return Undone(Undo.KEPT, f"{self.reference} is used by a container that is not ours")
        return Undone(Undo.REMOVED if present else Undo.ABSENT)

    def _facts(self, host: Host, image: Image) -> JsonObject:
        """The outputs; what a pull or a load tells of `image` has no time."""
        found = host.engine.image(self.reference)
        return {"id": image.id, "created": found.created.isoformat() if found and found.created else None}

    def _names(self, record: UndoRecord) -> Sequence[str]:
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
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Pull it. The engine reuses or discards layers of an interrupted pull."""
        image = pull_patiently(host.engine, host.clock, self.reference, self.deadline, host.progress)
        return self._facts(host, image)


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
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Load it; a wrong archive leaves nothing behind."""
        return self._facts(host, host.engine.load(self.archive, self.reference, host.progress))


def pull_patiently(
    engine: ContainerEngine, clock: Clock, reference: str, deadline: float, progress: Progress
) -> Image:
    """Pull within `deadline` seconds in all, with retries after transient failures. Raises as `pull`."""
    until = clock.monotonic() + deadline
    for pause in _PAUSES:
        try:
            return engine.pull(reference, until - clock.monotonic(), progress)
        except PullError as failure:
            if failure.permanent or clock.monotonic() + pause >= until:
                raise
        clock.sleep(pause)
    return engine.pull(reference, until - clock.monotonic(), progress)


def _short(reference: str) -> str:
    name, digest = split_reference(reference)
    return f"{name}@{digest.removeprefix('sha256:')[:_DIGEST_SHOWN]}"
