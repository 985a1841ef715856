"""The answers of a run: those of all sources, and the images of this release where none are named."""

import os

from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import Answers, Origin, answered, merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.safe_paths import visible_kind
from mstunnel_setup.transaction.receipt import Receipt, all_remembered

_OF_RELEASE = Origin("default", text("of this release"))


def answers(
    operator: Operator, settings: Settings, receipt: Receipt, backup: Settings | None = None
) -> Answers:
    """Merge the answers of options, environment, answer file, earlier runs, a backup, and the defaults.

    Raises UsageError.
    """
    file = None if operator.answers is None else load(operator.answers)
    own = {"account": own_name()} if paths.ROOTLESS else {}
    known = {**own, **earlier_answers(receipt)}
    return with_release_images(merge(settings, os.environ, file, known, backup))


def earlier_answers(receipt: Receipt) -> JsonObject:
    """Return the answers stored by earlier runs, by setting path."""
    stored = all_remembered(receipt)
    given = as_object(stored.pop("answers", None))
    return {**given, **stored}


def with_release_images(answers: Answers) -> Answers:
    """Return the answers with the images of this release, and their archive, if they name none."""
    own = release_images()
    if own is None:
        return answers
    given = [image for image in (answers.images.server, answers.images.agent) if image]
    if given and [image.rpartition("@")[2] for image in given] != [own.gateway, own.agent]:
        return answers
    references = {} if given else own.references(answers.images.registry)
    values: dict[str, object] = {f"images.{name}": reference for name, reference in references.items()}
    found = [str(place) for place in own.places() if visible_kind(place) == "file"][:1]
    if found and not answers.images.archive:
        values["images.archive"] = found
    answers = answered(answers, values)
    answers.origins.update(dict.fromkeys(values, _OF_RELEASE))
    return answers


def refuse_unsupported(given: Answers) -> None:
    """Raise UsageError for answers that contradict each other."""
    if given.mode == "rootless" and given.engine == "docker":
        raise UsageError(
            "rootless-needs-podman",
            "a rootless gateway needs Podman: rootless Docker cannot provide the tunnel device",
            hint="Leave out --engine docker or --rootless (in the answer file: `engine` and `mode`).",
        )
