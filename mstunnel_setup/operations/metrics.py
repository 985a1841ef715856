"""`mst-cli metrics`: prints the agent's Prometheus metrics, or serves them on a local address."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import printable, verbatim
from mstunnel_setup.install.installed import hand_over_to_account
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator

if TYPE_CHECKING:
    from prometheus_client import Metric

# The limit protects against a compromised agent, which owns the file; normally it has a few kilobytes.
_LARGEST: Final = 1 << 18


class MetricsReport(Report):
    """The metrics in the text format of Prometheus."""

    metrics: str | None = Field(description="null while the agent has not written any.")


def show(operator: Operator) -> Result[MetricsReport]:
    """Return the current metrics. Raises FileError if their path is not a regular file."""
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
    """Serve the metrics at `/metrics` on the address `listen` until the process is interrupted.

    Raises UsageError `listen-address-refused` and NetworkError `listen-failed`.
    """
    # prometheus_client is imported here because only serving needs it; printing the file does not.
    from mstunnel_setup.io.local_server import PATH, listening, local_address  # noqa: PLC0415

    hand_over_to_account(operator)
    address = local_address(listen)
    with listening(address, _Written(operator.files)) as server:
        operator.console.say(f"Serving {PATH} on {address.text}.")
        server.serve_forever()
    return Result()


@dataclass(frozen=True)
class _Written:
    """A Prometheus collector that reads the agent's file for each request."""

    files: Files

    def collect(self) -> Iterable["Metric"]:
        """Return the metrics. Raises LookupError without the file, ValueError or FileError for a bad one."""
        from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 (see above)

        content = self.files.read_untrusted(paths.AGENT_METRICS, _LARGEST)
        if content is None:
            raise LookupError(paths.AGENT_METRICS)
        return list(text_string_to_metric_families(content.decode()))
