"""What the gateway says about itself: the file that its container writes, a word and its value a line.

Written by `images/gateway/report`. The agent can ask the gateway nothing and tell it nothing but by files.
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
"""The same file in the container of the agent."""
LATEST_REPORT: Final = timedelta(minutes=2)
"""It reports every minute, so an older one says nothing about now."""
LATEST_PROBE: Final = timedelta(minutes=11)
"""It tries every five minutes, so a probe that is older than two tries is no answer any more."""
_LONGEST: Final = 500
# Beyond every status and every wait in seconds; JSON as Python reads it knows infinity too.
_MEASURABLE: Final = 1_000_000
# The monitor, which is privileged, reads it too.
_LARGEST: Final = 1 << 20


@dataclass(frozen=True)
class ConfigurationOutcome:
    """What became of a configuration: the SHA-256 of its file in hex, and the refusal if it was refused."""

    digest: str
    refusal: str | None = None


@dataclass(frozen=True)
class Probe:
    """One try of the site's internal address through the gateway's network; `account` is curl's.

    Source of the account's names: curl(1), --write-out, `%{json}`.
    """

    at: datetime
    url: str
    account: JsonObject = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status; 0 when no answer came."""
        return int(self._number("http_code"))

    @property
    def reached(self) -> bool:
        """Whether the site answered: not the proxy on the way, and no error of a gateway in between."""
        proxy = HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        return 0 < self.status < HTTPStatus.INTERNAL_SERVER_ERROR and self.status != proxy

    @property
    def words(self) -> str:
        """Curl's own words, or the status that is no answer of the site."""
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
        """How long the connection took once the name was known; None when there was none."""
        total, name = self._number("time_connect"), self._number("time_namelookup")
        return total - name if total > 0 else None

    def _number(self, name: str) -> float:
        found = self.account.get(name)
        return found if isinstance(found, int | float) and 0 <= found < _MEASURABLE else 0


@dataclass(frozen=True)
class GatewayReport:
    """One report; what is unknown is None or empty. `transferred` is bytes in and out.

    `opens_tunnel` says that the gateway can open its tunnel device.
    """

    at: datetime
    configuration: ConfigurationOutcome | None = None
    connections: int | None = None
    transferred: int | None = None
    nameservers: tuple[str, ...] = ()
    probe: Probe | None = None
    opens_tunnel: bool = False


def read_report(files: Files, path: str = REPORT) -> GatewayReport | None:
    """The last report; None when there is none that can be read. Raises FileError when it is no file."""
    content = files.read_untrusted(path, _LARGEST)
    return None if content is None else parse_report(content.decode(errors="replace"))


def parse_report(text: str) -> GatewayReport | None:
    """A report; lines of a newer gateway are passed over, and one without its time is none."""
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
    """The first two words and the rest; empty where there is none."""
    first, _, rest = text.partition(" ")
    second, _, rest = rest.partition(" ")
    return first, second, rest


def _time(text: str) -> datetime | None:
    seconds = whole_number(text, 11)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
