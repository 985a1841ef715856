"""Patterns of image names: registry and digest in lower case, never a tag."""

from typing import Final

_NAME: Final = r"[a-z0-9][a-z0-9._-]*"

REGISTRY: Final = rf"[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/{_NAME})*"
"""Pattern of a registry or of a path in one: `registry.example.com:5000/mstunnel`."""

IMAGE: Final = rf"{REGISTRY}/{_NAME}@sha256:[0-9a-f]{{64}}"
"""Pattern of an image: `registry.example.com:5000/mstunnel/gateway@sha256:` and 64 hex digits."""
