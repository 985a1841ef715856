"""The options of commands that change objects of the tenant."""

from dataclasses import dataclass
from typing import Annotated, Final

from mstunnel_setup.cli.framework.options import SignInOptions, option
from mstunnel_setup.io.operator import Settings

JUSTIFICATION: Final = "justification"
"""The key of the justification beside the settings of these options."""


@dataclass(frozen=True)
class ChangeOptions(SignInOptions):
    """The options for reaching the tenant and, where a change needs an approval, for requesting it."""

    justification: Annotated[
        str,
        option(
            "--justification",
            metavar="TEXT",
            help="Reason for the change; requests the approval where the tenant requires one.",
        ),
    ] = ""

    def settings(self) -> Settings:
        """Return the given options by setting path, and the justification."""
        return {**super().settings(), JUSTIFICATION: self.justification.strip()}
