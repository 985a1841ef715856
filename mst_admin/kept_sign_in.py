"""Storage of a person's access token, in the host's memory until it expires or the host reboots.

The token is in a file of mode 0600 on a tmpfs: below XDG_RUNTIME_DIR, or below /run for root without that
variable. If neither is a tmpfs of this user, no token is stored. Refresh tokens are never stored.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final, Unpack

from mstunnel_setup.base.text import plain
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_port import HttpAnswer, HttpPort, RequestOptions
from mstunnel_setup.tenant.approvals import concerns_approval
from mstunnel_setup.tenant.token_sources import TokenSource, claims

_NAME: Final = "mst-admin"
_LARGEST: Final = 65536
# Minimum remaining lifetime in seconds: a command may run longer than a token that expires sooner.
_LEAST_LIFE: Final = 300
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_MOUNTS: Final = "/proc/self/mountinfo"
_REFUSED: Final = frozenset({401, 403})


def directory(files: Files) -> str | None:
    """Return the directory for tokens of this user, or None if the host has no safe one."""
    user = os.geteuid()
    for place in (os.environ.get("XDG_RUNTIME_DIR", ""), "" if user else "/run"):
        state = files.state(place) if place.startswith("/") else None
        own = state is not None and (state.kind, state.uid) == ("directory", user) and not state.mode & 0o022
        if own and _in_memory(files, place):
            return f"{place.rstrip('/')}/{_NAME}"
    return None


def _in_memory(files: Files, path: str) -> bool:
    """Return whether `path` is on a file system in memory (proc(5), mountinfo)."""
    deepest, kind = "", ""
    for line in (files.read(_MOUNTS) or b"").decode(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        mounted, found = before.split()[4], after.split()[0]
        # Of two mounts at one mount point, the later one is visible.
        if os.path.commonpath([mounted, path]) == mounted and len(mounted) >= len(deepest):
            deepest, kind = mounted, found
    return kind in _IN_MEMORY


@dataclass(frozen=True)
class KeptSignIn:
    """The stored token of one user for one application, tenant and cloud; an empty `path` stores none."""

    files: Files
    clock: Clock
    path: str
    _lock: Lock

    @classmethod
    def of(cls, files: Files, clock: Clock, *identity: str) -> "KeptSignIn":
        """Return the storage for `identity`: authority, Graph, tenant and application."""
        place = directory(files) if files.live else None
        name = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:32]
        return cls(files, clock, f"{place}/{name}.token" if place else "", Lock())

    def token(self, permissions: tuple[str, ...]) -> str:
        """Return the token if it is valid for some minutes and includes the permissions, else ""."""
        if not self.path:
            return ""
        try:
            found = self.files.read_untrusted(self.path, _LARGEST)
        except FileError:
            return ""
        token = (found or b"").decode("ascii", "replace")
        known = claims(token)
        granted, expiry = str(known.get("scp", "")).split(), known.get("exp")
        # A token with a write permission can read, too.
        includes = all({name, name.replace(".Read.", ".ReadWrite.")} & {*granted} for name in permissions)
        lasts = isinstance(expiry, int) and expiry - _LEAST_LIFE > self.clock.now().timestamp()
        return token if includes and lasts else ""

    def keep(self, token: str) -> None:
        """Store a token, unless it has no expiry or the file system is full."""
        if not self.path or not isinstance(claims(token).get("exp"), int):
            return
        try:
            self.files.make_directory(self.path.rpartition("/")[0], 0o700)
            self.files.write(self.path, token.encode(), 0o600)
        except FileError:
            return

    def forget(self) -> None:
        """Remove the token."""
        if self.path:
            self.files.remove(self.path)

    def source(
        self,
        permissions: tuple[str, ...],
        sign_in: Callable[[], TokenSource],
        say: Callable[[str], None],
    ) -> TokenSource:
        """Return a token source that uses the stored token, then signs in and stores the new one.

        `say` is called with the account name of the stored token when that is used.
        """
        fresh: list[TokenSource] = []
        kept = self.token(permissions)
        if kept:
            account = claims(kept)
            say(plain(account.get("upn") or account.get("preferred_username") or "", 120))

        def acquire() -> str:
            with self._lock:
                if not fresh and (found := self.token(permissions)):
                    return found
                if not fresh:
                    fresh.append(sign_in())
                    self.keep(fresh[0]())
                return fresh[0]()

        acquire()
        return acquire


@dataclass(frozen=True)
class ForgettingHttp:
    """An HTTP client that removes the stored token when Graph rejects it.

    A role activated after the sign-in is only in a new token.
    """

    http: HttpPort
    kept: KeptSignIn

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Send one request."""
        answer = self.http.request(method, url, **options)
        if answer.status_code in _REFUSED and not concerns_approval(answer):
            self.kept.forget()
        return answer


def sign_out(files: Files) -> int:
    """Remove all stored tokens of this user and return their number."""
    place = directory(files) if files.live else None
    names = [name for name in files.names(place) if name.endswith(".token")] if place else []
    for name in names:
        files.remove(f"{place}/{name}")
    return len(names)
