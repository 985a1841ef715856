"""A Compose file (compose-spec.io): the containers for `docker compose` on a host prepared for them."""

from collections.abc import Sequence

from mstunnel_setup.base import rendering
from mstunnel_setup.containers.run_arguments import mount_words
from mstunnel_setup.containers.spec import DIGEST_LABEL, ContainerSpec, split_reference


def render(specs: Sequence[ContainerSpec]) -> str:
    """The text of `compose.yaml`. Raises StepError `value-unquotable`."""
    mounts = {spec.name: [mount_words(volume, "docker") for volume in spec.volumes] for spec in specs}
    memory = {spec.name: [mount_words(place, "docker") for place in spec.tmpfs] for spec in specs}
    return rendering.render(
        "compose/compose.yaml",
        specs=specs,
        mounts=mounts,
        memory=memory,
        digest_label=DIGEST_LABEL,
        digests={spec.name: split_reference(spec.image)[1] for spec in specs},
    )
