"""The options of commands that install or plan an installation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from mstunnel_setup.cli.framework.help import COMMON, IMAGES, RECOVERY, SIGN_IN
from mstunnel_setup.cli.framework.options import (
    CertificateOptions,
    EngineChoice,
    SignInOptions,
    all_full,
    given,
)
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.io.operator import Settings


@dataclass(frozen=True)
class ImageOptions:
    """Where the images come from, and what runs them."""

    SECTION: ClassVar[str] = IMAGES

    engine: Annotated[EngineChoice | None, typer.Option("--engine", help="Container engine.")] = None
    offline: Annotated[
        list[Path] | None,
        typer.Option(
            "--offline", metavar="ARCHIVE", callback=all_full, help="Load the images from this archive."
        ),
    ] = None

    def settings(self) -> Settings:
        """What was given, by setting path, for `answers.merge.merge`."""
        return given(
            {
                "engine": self.engine and self.engine.value,
                "images.archive": [str(path) for path in self.offline or ()],
            }
        )


@dataclass(frozen=True)
class RecoveryOptions:
    """What to do where an installation stops."""

    SECTION: ClassVar[str] = RECOVERY

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


@dataclass(frozen=True)
class TenantOptions:
    """Which site of which tenant this server joins."""

    SECTION: ClassVar[str] = SIGN_IN

    site: Annotated[str | None, typer.Option("--site", metavar="ID_OR_NAME", help="Site to join.")] = None
    lab: Annotated[
        str,
        typer.Option(
            "--lab",
            metavar="URL#FINGERPRINT",
            envvar="MSTUNNEL_LAB",
            help="Lab tenant, as `mstunnel-lab serve` prints it.",
        ),
    ] = ""


@dataclass(frozen=True)
class InstallOptions(RecoveryOptions, ImageOptions, TenantOptions, SignInOptions, CertificateOptions):
    """The options of commands that install or plan; `answers.merge` reads MSTUNNEL_<OPTION> for settings."""

    SECTION: ClassVar[str] = COMMON

    accept_eula: Annotated[
        bool, typer.Option("--accept-eula", help="I have read the licence terms and accept them.")
    ] = False
    rootless: Annotated[bool, typer.Option("--rootless", help="Install into rootless Podman.")] = False
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Account of a rootless gateway.")
    ] = None

    def settings(self) -> Settings:
        """What was given, by setting path, for `answers.merge.merge`."""
        own = {
            "eula": "accept" if self.accept_eula else None,
            "mode": "rootless" if self.rootless else None,
            "account": self.account,
            "site": self.site,
        }
        parts = (CertificateOptions.settings, SignInOptions.settings, ImageOptions.settings)
        return {**{path: value for part in parts for path, value in part(self).items()}, **given(own)}

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
