"""How an image is named: by its registry and its digest, never by a tag, and in lower case."""

from typing import Final

_NAME: Final = r"[a-z0-9][a-z0-9._-]*"

REGISTRY: Final = rf"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/{_NAME})*"
"""A pattern of a registry, or of a place in one: `registry.example.com:5000/mstunnel`."""

IMAGE: Final = rf"{REGISTRY}/{_NAME}@sha256:[0-9a-f]{{64}}"
"""A pattern of an image: `registry.example.com:5000/mstunnel/gateway@sha256:` and 64 hex digits."""
