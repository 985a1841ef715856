"""Step `images`: bring both container images to the host, always by digest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.containers.image_actions import LoadImage, PullImage
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import WriteJson
from mstunnel_setup.engine.remember import Remember
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import EngineError
from mstunnel_setup.steps.context import Context


@dataclass(frozen=True)
class Images:
    """References (`name@sha256:…`) of the two images, and for those that an archive holds, which one."""

    server: str
    agent: str
    archives: Mapping[str, str]


def references(context: Context) -> tuple[str, str]:
    """References of the server and the agent image; a person is asked for what no answer names."""
    return (
        context.answer("images.server", "Image of the VPN server, by digest (registry/name@sha256:…)"),
        context.answer("images.agent", "Image of the agent, by digest (registry/name@sha256:…)"),
    )


def _gather(context: Context) -> Images:
    server, agent = references(context)
    return Images(server, agent, _archives(context, (server, agent)))


def _archives(context: Context, wanted: Sequence[str]) -> Mapping[str, str]:
    """The archive of each wanted image. Raises EngineError when archives are given and one is missing."""
    given = context.answers.images.archive
    if not given:
        return {}
    holder = {image.digest: archive for archive in given for image in archived_images(archive)}
    missing = [reference for reference in wanted if reference.rpartition("@")[2] not in holder]
    if missing:
        raise EngineError(
            "image-not-in-archive",
            f"{', '.join(given)} holds {', '.join(holder) or 'no image'}, not {' and '.join(missing)}",
            "Give the archives that belong to these images, or correct the references.",
        )
    return {reference: holder[reference.rpartition("@")[2]] for reference in wanted}


def _decide(images: Images) -> Sequence[Action[Any]]:
    configured: JsonObject = {
        "serverImageDigest": images.server.rpartition("@")[2],
        "agentImageDigest": images.agent.rpartition("@")[2],
        "mst_use_custom_image": 0,
    }
    return (
        Remember(name="images.server", value=images.server),
        Remember(name="images.agent", value=images.agent),
        *(_bring(reference, images.archives) for reference in (images.server, images.agent)),
        WriteJson(path=paths.IMAGES_CONFIGURED, value=configured),
    )


def _bring(reference: str, archives: Mapping[str, str]) -> Action[Any]:
    if reference in archives:
        return LoadImage(archive=archives[reference], reference=reference)
    return PullImage(reference=reference)


def _missing(context: Context) -> Sequence[str]:
    del context
    return ("images.server", "images.agent")


STEP = Step("images", "Container images", _gather, _decide, missing=_missing)
