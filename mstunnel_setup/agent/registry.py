"""Whether the registry of the images answers: without it no upgrade can be fetched."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.values import as_object
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession

_EVERY_SECONDS: Final = 300.0
_TIMEOUT: Final = 10.0

Ask = Callable[[str], None]
"""Get an answer, whichever, from an address. Raises NetworkError."""


@dataclass
class RegistryWatch:
    """Asks the registry every five minutes for an answer of any kind."""

    files: Files
    clock: Clock
    ask: Ask
    problem: str = field(default="not tried yet", init=False)
    last_contact: datetime | None = field(default=None, init=False)
    _tried: float | None = field(default=None, init=False)

    def look(self) -> str | None:
        """The registry's host, None when the images came from none that is known; tried when it is time."""
        host = _host(self.files)
        now = self.clock.monotonic()
        if host is not None and (self._tried is None or now - self._tried >= _EVERY_SECONDS):
            self._tried = now
            self._try(host)
        return host

    def _try(self, host: str) -> None:
        try:
            self.ask(f"https://{host}/v2/")
        except NetworkError as error:
            # Whom the engine trusts is set on the host; here any answer counts.
            if error.code != "tls-untrusted":
                self.problem = error.message
                return
        self.problem = ""
        self.last_contact = self.clock.now()


def asking(clock: Clock) -> Ask:
    """How a registry is asked: a separate session, closed at once."""

    def ask(address: str) -> None:
        http = HttpSession(clock, timeout=_TIMEOUT, deadline=_TIMEOUT)
        try:
            http.get(address, allow_redirects=False)
        finally:
            http.close()

    return ask


def _host(files: Files) -> str | None:
    content = files.read(paths.IMAGES_CONFIGURED)
    try:
        found = as_object(json_value(content or b"{}"))
    except ValueError:
        return None
    host = str(found.get("serverImageName") or "").partition("/")[0]
    # What podman calls images that were loaded from an archive, or built here.
    return None if host in ("", "localhost") else host
