"""Step `images`: choose the container engine, and pull or load both images, always by digest."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.containers import LoadImage, PullImage
from mstunnel_setup.actions.files import WriteJson
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.containers.choice import ChooseEngine, EngineChoice, engine_of
from mstunnel_setup.containers.container_spec import digest_tag
from mstunnel_setup.containers.image_origin import loaded_from
from mstunnel_setup.containers.release_images import LOCAL, release_images
from mstunnel_setup.containers.versions import engine_table, is_tested, release
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step


@dataclass(frozen=True)
class GatewayImages:
    """The engine, the references (`name@sha256:…`) of the two images, and the archives that hold them."""

    engine: EngineChoice
    server: str
    agent: str
    archives: Mapping[str, str]


def references(run: Run) -> tuple[str, str]:
    """Return the references of the server and agent images; a person is prompted for missing ones."""
    return (
        run.answer("images.server", "Image of the VPN server, by digest (registry/name@sha256:…)"),
        run.answer("images.agent", "Image of the agent, by digest (registry/name@sha256:…)"),
    )


def local_names(run: Run) -> Mapping[str, str]:
    """Return the engine's local names of images that it does not know by reference after this step.

    Docker drops the digest of an image that it loads, so the image is known by its name in the archive.
    """
    if run.host.chosen.name != "docker":
        return {}
    present = {reference: run.host.engine.image(reference) for reference in references(run)}
    return {
        reference: digest_tag(reference) if image is None else image.name
        for reference, image in present.items()
        if (run.answers.images.archive if image is None else image.name != reference)
    }


def loaded_names(run: Run) -> Mapping[str, str]:
    """Return Docker's local names of the images that this installation loaded, without asking Docker."""
    if engine_of(run.receipt) != "docker":
        return {}
    entries = run.receipt.entries
    found = {reference: entries.get(PullImage(reference=reference).key) for reference in references(run)}
    return {
        reference: digest_tag(reference)
        for reference, entry in found.items()
        if entry is not None and entry.versions[-1]["kind"] == LoadImage.kind
    }


def for_judgement(run: Run) -> str:
    """Return the gateway's image if this host has it and a configuration to check with it; else empty."""
    files = run.files
    if not files.live or paths.ACTIVE not in (files.read(paths.OCSERV_CONF) or b"").decode():
        return ""
    reference = references(run)[0]
    name = loaded_names(run).get(reference, reference)
    return name if run.host.engine.image(name) else ""


def _gather(run: Run) -> GatewayImages:
    # The engine of an installation never changes.
    installed, wanted = engine_of(run.receipt), run.answers.engine
    if installed is not None and wanted not in ("auto", installed):
        raise UsageError(
            "engine-installed",
            "the gateway on this host runs on {installed}, not on {wanted}",
            hint="Uninstall it first (`mst-cli uninstall`), or leave out `engine`.",
            installed=installed.capitalize(),
            wanted=wanted.capitalize(),
        )
    chosen = run.host.chosen
    version = release(chosen.version)
    if installed is None and version is not None and not is_tested(chosen.name, version):
        tested = ", ".join(engine_table().engines[chosen.name].tested)
        name = f"{chosen.name.capitalize()} {chosen.version}"
        run.note("{name} is not a tested version ({tested}); continuing.", name=name, tested=tested)
    server, agent = references(run)
    return GatewayImages(chosen, server, agent, archives(run, (server, agent)))


def archives(run: Run, wanted: Sequence[str]) -> Mapping[str, str]:
    """Return the archive of each image: the given ones, or those that an earlier run loaded.

    Raises EngineError if a given archive is missing, or if an image has to be loaded again and its archive is
    gone.
    """
    given = run.answers.images.archive
    absent = [reference for reference in wanted if run.host.engine.image(reference) is None]
    earlier = {reference: loaded_from(run.receipt, reference) for reference in wanted}
    if all(earlier.values()) and not run.is_new("images.archive"):
        if not absent:
            # All images are present, so the archives may have been removed.
            return earlier
        files = run.files.given
        if all(files.state(archive) is None for archive in given or ()):
            given = tuple(dict.fromkeys(earlier.values()))
        gone = [archive for archive in given if files.state(archive) is None]
        if gone:
            raise EngineError(
                "image-archive-gone",
                "{images} must be loaded again, but {archives} does not exist any more",
                hint="Put the archive back, or give its new path: `mst-cli install --offline FILE`.",
                images=", ".join(absent),
                archives=", ".join(gone),
            )
    if not given:
        # Some images of this release exist only in its archive, not in a registry.
        own = release_images()
        if own and absent and any(reference.startswith(f"{LOCAL}/") for reference in wanted):
            raise EngineError(
                "image-archive-missing",
                (
                    "this program has no registry for its images, and {archive} is neither beside it nor "
                    "in {image_archives}"
                ),
                hint="Copy {archive} to {image_archives}, or use --offline FILE or `images.registry`.",
                archive=own.archive,
                image_archives=paths.IMAGE_ARCHIVES,
            )
        return {}
    holder = {image.digest: archive for archive in given for image in archived_images(archive)}
    missing = [reference for reference in wanted if reference.rpartition("@")[2] not in holder]
    if missing:
        raise EngineError(
            "image-not-in-archive",
            "{archives} contains {images}, but not {missing}",
            hint="Give the archives that contain these images, or correct the references.",
            archives=", ".join(given),
            images=", ".join(holder) or text("no image"),
            missing=" and ".join(missing),
        )
    return {reference: holder[reference.rpartition("@")[2]] for reference in wanted}


def fetch(references: Sequence[str]) -> Step[Run, Mapping[str, str]]:
    """Return a step that pulls or loads images without using them."""

    def decide(archives: Mapping[str, str]) -> Sequence[Action]:
        return [_bring(reference, archives) for reference in references]

    return Step("images", STEP.title, lambda run: archives(run, references), decide)


def _decide(images: GatewayImages) -> Sequence[Action]:
    configured: JsonObject = {
        "serverImageDigest": images.server.rpartition("@")[2],
        "agentImageDigest": images.agent.rpartition("@")[2],
        # This key is not in the vendor's file: it names the registry that the agent probes.
        "serverImageName": images.server.rpartition("@")[0],
        "mst_use_custom_image": 0,
    }
    return (
        ChooseEngine(engine=images.engine.name, reason=images.engine.reason),
        StoreAnswer(name="images.server", value=images.server),
        StoreAnswer(name="images.agent", value=images.agent),
        *(_bring(reference, images.archives) for reference in (images.server, images.agent)),
        WriteJson(path=paths.IMAGES_CONFIGURED, value=configured),
    )


def _bring(reference: str, archives: Mapping[str, str]) -> Action:
    if reference in archives:
        return LoadImage(archive=archives[reference], reference=reference)
    return PullImage(reference=reference)


def _refuse(run: Run, steps: Collection[str]) -> None:
    """Raise EngineError for missing archives, before their paths are stored."""
    environment.refuse_early(run, steps, "images", paths.CONFIGURATION, "eula")
    named = run.answers.images.archive
    if run.is_new("images.archive") if run.receipt.entries else named:
        archives(run, references(run))


STEP = Step(
    "images",
    text("Container images"),
    _gather,
    _decide,
    refuse=_refuse,
    missing=lambda _run: ("images.server", "images.agent"),
)
