"""The command group `mstunnel-setup render`: names and options only."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mstunnel_setup.cli.framework.install_options import InstallOptions
from mstunnel_setup.cli.framework.options import CommonOptions, full, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

render_app = new_group()


def _format(name: Literal["quadlet", "kubernetes", "helm", "compose"], about: str) -> None:
    @render_app.command(name, help=about)
    @with_options
    def command(
        common: CommonOptions,
        options: InstallOptions,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out",
                metavar="DIR",
                envvar="MSTUNNEL_OUT",
                callback=full,
                help="Write the files to this directory instead of standard output.",
            ),
        ] = None,
        port: Annotated[
            int | None,
            typer.Option(
                "--port",
                metavar="N",
                min=1,
                max=65535,
                envvar="MSTUNNEL_PORT",
                help="Port of the gateway; by default the one in use, or 443.",
            ),
        ] = None,
    ) -> None:
        from mstunnel_setup.install import render

        run_command(
            f"mstunnel-setup render {name}",
            common,
            lambda operator: render.render(
                operator, options.settings(), render.RenderRequest(name, out, port)
            ),
        )


_format("quadlet", "Render the Quadlet files that an installation writes.")
_format("kubernetes", "Render a manifest with both containers in one pod; secrets are placeholders.")
_format("helm", "Render the values of the Helm chart for one gateway.")
_format("compose", "Render a Compose file for a host that was prepared by an installation.")
