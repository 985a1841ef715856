"""Default answers of the program: the images of its release."""

from mstunnel_setup.answers.merge import Answers, Origin, answered
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import release_images

_ORIGIN = Origin("default", text("of this release"))


def with_release_images(answers: Answers) -> Answers:
    """The answers, with the images of this release where none are named, and their archive where one lies."""
    own = release_images()
    if own is None:
        return answers
    given = [image for image in (answers.images.server, answers.images.agent) if image]
    if given and [image.rpartition("@")[2] for image in given] != [own.gateway, own.agent]:
        return answers
    references = {} if given else own.references(answers.images.registry)
    values: dict[str, object] = {f"images.{name}": reference for name, reference in references.items()}
    found = [str(place) for place in own.places() if place.is_file()][:1]
    if found and not answers.images.archive:
        values["images.archive"] = found
    answers = answered(answers, values)
    answers.origins.update(dict.fromkeys(values, _ORIGIN))
    return answers
