"""`mst-cli metrics`: what the agent measured, for Prometheus: printed, or served to this machine."""

from contextlib import suppress
from typing import Final

from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import printable, verbatim
from mstunnel_setup.install.installed import hand_over_to_account
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.local_server import Page, listening, local_address
from mstunnel_setup.io.operator import Operator

PATH: Final = "/metrics"
_MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
# The file has a few kilobytes; the agent, which writes it, might put anything there.
_LARGEST: Final = 1 << 18


class MetricsReport(Report):
    """The metrics in the text format of Prometheus."""

    metrics: str | None = Field(description="null while the agent has not written any.")


def show(operator: Operator) -> Result[MetricsReport]:
    """The metrics as they are. Raises FileError when they are no file."""
    hand_over_to_account(operator)
    content = operator.files.read_untrusted(paths.AGENT_METRICS, _LARGEST)
    if content is None:
        missing = warning(
            "metrics-missing",
            "the agent has not written metrics yet",
            hint="It writes them within a minute of its start; see `mst-cli agent logs`.",
        )
        return Result("warning", MetricsReport(metrics=None), (missing,))
    text = printable(content.decode(errors="replace"))
    return Result(report=MetricsReport(metrics=text), text=verbatim(text))


def serve(operator: Operator, listen: str) -> Result[MetricsReport]:
    """Serve them at `/metrics` on the address `listen` until the process is interrupted.

    Raises UsageError `listen-address-refused` and NetworkError `listen-failed`.
    """
    hand_over_to_account(operator)
    address = local_address(listen)

    def content() -> bytes | None:
        with suppress(FileError):
            return operator.files.read_untrusted(paths.AGENT_METRICS, _LARGEST)
        return None

    with listening(address, Page(PATH, _MEDIA_TYPE, content)) as server:
        operator.console.say(f"Serving {PATH} on {address.text}.")
        server.serve_forever()
    return Result()
