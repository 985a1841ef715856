"""Default answers of the program: the images of its release."""

from mstunnel_setup.answers.merge import Answers, Origin, answered
from mstunnel_setup.containers.release_images import release_images

_ORIGIN = Origin("default", "of this release")


def with_release_images(answers: Answers) -> Answers:
    """The answers, with the images of this release where none are named, and their archive where one lies."""
    own = release_images()
    if own is None or answers.images.server or answers.images.agent:
        return answers
    found = [str(place) for place in own.places() if place.is_file()][:1]
    values: dict[str, object] = {
        f"images.{name}": reference for name, reference in own.references(answers.images.registry).items()
    }
    if found and not answers.images.archive:
        values["images.archive"] = found
    for path, value in values.items():
        answers = answered(answers, path, value)
    answers.origins.update(dict.fromkeys(values, _ORIGIN))
    return answers
