"""The metadata hook of hatchling: what a package index shows of the publisher and of the README."""

import re
import sys
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"^!\[[^]]*\]\([^)]*\)\n\n", re.MULTILINE)
_LINK = re.compile(r"\[([^]]*)\]\((?!https?://)([^)]*)\)")


class CustomMetadataHook(MetadataHookInterface):
    """Called for a wheel, a source distribution and an editable installation."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the dynamic fields `readme` and `urls`."""
        sys.path.insert(0, self.root)
        from mstunnel_setup import __version__  # noqa: PLC0415 (found by the line before)
        from scripts import ROOT  # noqa: PLC0415
        from scripts.release.publisher import publisher  # noqa: PLC0415

        page = publisher()["homepage"].rstrip("/")
        files = f"{page}/blob/v{__version__}" if page else ""
        text = readme((ROOT / "README.md").read_text("utf-8"), files)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(page, files) if page else {}


def readme(text: str, files: str) -> str:
    """The README without images, and with links to files only if those are at the address `files`."""
    return _LINK.sub(rf"[\1]({files}/\2)" if files else r"\1", _IMAGE.sub("", text))


def urls(page: str, files: str) -> dict[str, str]:
    """The links that an index shows beside the README."""
    return {
        "Homepage": page,
        "Documentation": f"{files}/docs/index.md",
        "Changelog": f"{files}/CHANGELOG.md",
        "Issues": f"{page}/issues",
    }
