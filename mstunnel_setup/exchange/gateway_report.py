"""The gateway's report: a file that its container writes, a keyword and its value on each line.

`images/gateway/report` writes it. The agent and the gateway exchange nothing but files.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import json_object, whole_number
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.files import Files

REPORT: Final = f"{paths.SERVER_STATE}/report"
REPORT_SHOWN: Final = f"{paths.SERVER_STATE_INSIDE}/report"
"""The path of the same file in the agent's container."""
LATEST_REPORT: Final = timedelta(minutes=2)
"""The gateway reports every minute, so an older report is out of date."""
LATEST_PROBE: Final = timedelta(minutes=11)
"""The gateway probes every five minutes, so a probe older than two attempts is out of date."""
_LONGEST: Final = 500
# Larger than any status or time in seconds; JSON as Python reads it includes infinity.
_MEASURABLE: Final = 1_000_000
# The monitor, which is privileged, reads the file too.
_LARGEST: Final = 1 << 20


@dataclass(frozen=True)
class ConfigurationOutcome:
    """The outcome of a configuration: the SHA-256 of its file in hex, and the refusal if it was refused."""

    digest: str
    refusal: str | None = None


@dataclass(frozen=True)
class Probe:
    """One attempt to reach the site's internal address through the gateway's network.

    `account` is the report of curl: curl(1), --write-out, `%{json}`.
    """

    at: datetime
    url: str
    account: JsonObject = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status; 0 without a response."""
        return int(self._number("http_code"))

    @property
    def reached(self) -> bool:
        """True if the site itself responded, not a proxy on the way or a gateway with an error."""
        proxy = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        return 0 < self.status < HTTPStatus.INTERNAL_SERVER_ERROR and self.status != proxy

    @property
    def words(self) -> str:
        """The error message of curl, or a status that does not come from the site."""
        if self.status:
            return text("status {status}", status=self.status)
        words = self.account.get("errormsg")
        return text(
            "{words} (curl {code})",
            words=plain(words, _LONGEST) if words else text("no answer"),
            code=plain(self.account.get("exitcode", "?")),
        )

    @property
    def connect_seconds(self) -> float | None:
        """Seconds to connect after the name was resolved; None without a connection."""
        total, name = self._number("time_connect"), self._number("time_namelookup")
        return total - name if total > 0 else None

    def _number(self, name: str) -> float:
        found = self.account.get(name)
        return found if isinstance(found, int | float) and 0 <= found < _MEASURABLE else 0


@dataclass(frozen=True)
class GatewayReport:
    """One report; unknown values are None or empty. `transferred` is bytes in and out.

    `opens_tunnel` is true if the gateway can open its tunnel device.
    """

    at: datetime
    configuration: ConfigurationOutcome | None = None
    connections: int | None = None
    transferred: int | None = None
    nameservers: tuple[str, ...] = ()
    probe: Probe | None = None
    opens_tunnel: bool = False


def read_report(files: Files, path: str = REPORT) -> GatewayReport | None:
    """Return the last report; None without a readable one. Raises FileError for anything but a file."""
    content = files.read_untrusted(path, _LARGEST)
    return None if content is None else parse_report(content.decode(errors="replace"))


def parse_report(text: str) -> GatewayReport | None:
    """Parse a report, and ignore lines of a newer gateway; None without a time."""
    words: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        words.setdefault(name, []).append(value)
    first = {name: values[0] for name, values in words.items()}
    at = _time(first.get("time", ""))
    if at is None:
        return None
    found = json_object(first.get("status", "")).get("Active sessions")
    # The kernel counts in 64 bits.
    counts = [whole_number(count, 20) for line in words.get("interface", []) for count in line.split()[1:]]
    digest, outcome, reason = _three_words(first.get("configuration", ""))
    refusal = plain(reason, _LONGEST) or "no reason given"
    tried, url, account = _three_words(first.get("probe", ""))
    probed = _time(tried)
    return GatewayReport(
        at=at,
        configuration=ConfigurationOutcome(digest, refusal if outcome == "refused" else None)
        if outcome in ("applied", "refused")
        else None,
        connections=found if isinstance(found, int) and 0 <= found < _MEASURABLE else None,
        transferred=sum(filter(None, counts)) if counts and None not in counts else None,
        nameservers=tuple(plain(value, 60) for value in words.get("nameserver", [])),
        probe=Probe(probed, url, json_object(account)) if probed and url else None,
        opens_tunnel=first.get("tunnel-device") == "open",
    )


def _three_words(text: str) -> tuple[str, str, str]:
    """Return the first two words and the rest, empty if missing."""
    first, _, rest = text.partition(" ")
    second, _, rest = rest.partition(" ")
    return first, second, rest


def _time(text: str) -> datetime | None:
    seconds = whole_number(text, 11)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
