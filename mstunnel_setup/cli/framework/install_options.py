"""The options of commands that install or plan an installation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from mstunnel_setup.cli.framework.help import RECOVERY, SIGN_IN
from mstunnel_setup.cli.framework.options import CertificateOptions, SignInOptions, option, setting_option
from mstunnel_setup.install.request import InstallRequest


@dataclass(frozen=True)
class InstallOptions(SignInOptions, CertificateOptions):
    """The options of commands that install or plan; `answers.merge` reads the variables of settings."""

    SECTION: ClassVar[str] = RECOVERY

    accept_eula: Annotated[bool, setting_option("--accept-eula")] = False
    rootless: Annotated[bool, setting_option("--rootless")] = False
    account: Annotated[str | None, setting_option("--account")] = None
    engine: Annotated[Literal["auto", "podman", "docker"] | None, setting_option("--engine")] = None
    site: Annotated[str | None, setting_option("--site")] = None
    offline: Annotated[list[Path] | None, setting_option("--offline")] = None
    lab: Annotated[
        str,
        option(
            "--lab",
            metavar="URL#FINGERPRINT",
            rich_help_panel=SIGN_IN,
            help="Lab tenant, as `mstunnel-lab serve` prints it.",
        ),
    ] = ""
    skip: Annotated[
        list[str] | None,
        option("--skip", metavar="STEP", help="Skip a step."),
    ] = None
    ignore_check: Annotated[
        list[str] | None,
        option("--ignore-check", metavar="ID", help="Ignore a failed check."),
    ] = None
    rollback_on_failure: Annotated[
        bool,
        option(
            "--rollback-on-failure",
            help="Roll back everything when a step of an unfinished installation fails.",
        ),
    ] = False
    progress_fd: Annotated[
        int | None,
        option("--progress-fd", metavar="N", min=1, help="Write events (JSON lines) to N."),
    ] = None

    def request(self) -> InstallRequest:
        """Return the request with all these options."""
        return InstallRequest(
            settings=self.settings(),
            skip=tuple(self.skip or ()),
            ignored_checks=tuple(self.ignore_check or ()),
            rollback_on_failure=self.rollback_on_failure,
            progress_fd=self.progress_fd,
            lab=self.lab,
        )
