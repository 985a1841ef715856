"""The options of commands that install or plan an installation."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer

from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.cli.framework.help import RECOVERY, SIGN_IN
from mstunnel_setup.cli.framework.options import SettingOptions
from mstunnel_setup.install.request import InstallRequest


@dataclass(frozen=True)
class InstallOptions(SettingOptions):
    """The options of commands that install or plan; `answers.merge` reads the variables of settings."""

    SECTION: ClassVar[str] = RECOVERY
    SETTINGS = tuple(each for each in SETTINGS if each.option)

    lab: Annotated[
        str,
        typer.Option(
            "--lab",
            metavar="URL#FINGERPRINT",
            envvar="MSTUNNEL_LAB",
            rich_help_panel=SIGN_IN,
            help="Lab tenant, as `mstunnel-lab serve` prints it.",
        ),
    ] = ""
    skip: Annotated[
        list[str] | None,
        typer.Option("--skip", metavar="STEP", envvar="MSTUNNEL_SKIP", help="Skip a step."),
    ] = None
    ignore_check: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore-check", metavar="ID", envvar="MSTUNNEL_IGNORE_CHECK", help="Ignore a failed check."
        ),
    ] = None
    rollback_on_failure: Annotated[
        bool,
        typer.Option(
            "--rollback-on-failure",
            envvar="MSTUNNEL_ROLLBACK_ON_FAILURE",
            help="Roll back everything when a step of an unfinished installation fails.",
        ),
    ] = False
    progress_fd: Annotated[
        int | None,
        typer.Option(
            "--progress-fd",
            metavar="N",
            min=1,
            envvar="MSTUNNEL_PROGRESS_FD",
            help="Write events (JSON lines) to N.",
        ),
    ] = None

    def request(self) -> InstallRequest:
        """All of them as values."""
        return InstallRequest(
            settings=self.settings(),
            skip=tuple(self.skip or ()),
            ignored_checks=tuple(self.ignore_check or ()),
            rollback_on_failure=self.rollback_on_failure,
            progress_fd=self.progress_fd,
            lab=self.lab,
        )
