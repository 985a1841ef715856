"""Where an image came from, by the receipt of an installation."""

from typing import Final

from mstunnel_setup.transaction.receipt import Receipt

IMAGE_KEY: Final = "image:{reference}"
"""The key of the action that brought an image."""


def loaded_from(receipt: Receipt, reference: str) -> str:
    """Return the archive from which an earlier run loaded an image; empty if it pulled it or did not run."""
    entry = receipt.entries.get(IMAGE_KEY.format(reference=reference))
    return "" if entry is None else str(entry.versions[-1].get("archive", ""))
