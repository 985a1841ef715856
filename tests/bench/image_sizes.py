"""How large the images of a release are: the gateway beyond the Debian it is made of, the agent in all."""

from typing import Any, Final

from tests.bench.bar import Bar, bars
from tests.testbed import cache, images

NAME = "images"
GATEWAY_LIMIT: Final = 25.0
"""MB beyond the base image."""
AGENT_LIMIT: Final = 70.0
"""MB in all."""


def measure() -> dict[str, Any]:
    """The figures, as JSON data: MB."""
    built = images.build()
    references = {"base": images.BASE, **{name: built[name].reference for name in images.RELEASED}}
    with cache.writing():
        megabytes = {name: round(images.megabytes(reference), 1) for name, reference in references.items()}
    beyond = round(megabytes["gateway"] - megabytes["base"], 1)
    return {
        "what": "images, MB",
        "megabytes": megabytes,
        **bars(
            Bar("Image of the gateway, beyond its base", beyond, GATEWAY_LIMIT, "MB"),
            Bar("Image of the agent", megabytes["agent"], AGENT_LIMIT, "MB"),
        ),
    }
