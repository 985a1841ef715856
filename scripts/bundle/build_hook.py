"""The build hook of hatchling: it makes the files of the package that are not in git."""

import sys
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Called for a wheel and for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's)
        """Write the files; `artifacts` in pyproject.toml adds them to the wheel."""
        sys.path.insert(0, self.root)
        from scripts.bundle import package_data  # noqa: PLC0415 (found by the line before)

        package_data.write()
