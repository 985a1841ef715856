"""The kept sign-in: a person's access token, in memory of the host until it expires or the host stops.

A file of mode 0600 on a tmpfs: below XDG_RUNTIME_DIR, for root without one below /run. Where neither is a
tmpfs of this user, nothing is kept. There is no refresh token in it.
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
from mstunnel_setup.tenant.token_sources import TokenSource, claims

_NAME: Final = "mst-admin"
_LARGEST: Final = 65536
# Seconds: a token that expires sooner does not last for a command.
_LEAST_LIFE: Final = 300
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_MOUNTS: Final = "/proc/self/mountinfo"
_REFUSED: Final = frozenset({401, 403})


def directory(files: Files) -> str | None:
    """Return where sign-ins of this user are kept, or None where the host has no safe place for them."""
    user = os.geteuid()
    for place in (os.environ.get("XDG_RUNTIME_DIR", ""), "" if user else "/run"):
        state = files.state(place) if place.startswith("/") else None
        own = state is not None and (state.kind, state.uid) == ("directory", user) and not state.mode & 0o022
        if own and _in_memory(files, place):
            return f"{place.rstrip('/')}/{_NAME}"
    return None


def _in_memory(files: Files, path: str) -> bool:
    """Whether the file system of `path` has no disk (proc(5), mountinfo)."""
    deepest, kind = "", ""
    for line in (files.read(_MOUNTS) or b"").decode(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        mounted, found = before.split()[4], after.split()[0]
        # Of two at one place, the later one covers the other.
        if os.path.commonpath([mounted, path]) == mounted and len(mounted) >= len(deepest):
            deepest, kind = mounted, found
    return kind in _IN_MEMORY


@dataclass(frozen=True)
class KeptSignIn:
    """The token at `path`, kept by one user for one application, tenant and cloud; "" keeps none."""

    files: Files
    clock: Clock
    path: str
    _lock: Lock

    @classmethod
    def of(cls, files: Files, clock: Clock, *identity: str) -> "KeptSignIn":
        """Return the place for what `identity` names: authority, Graph, tenant and application."""
        place = directory(files) if files.live else None
        name = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:32]
        return cls(files, clock, f"{place}/{name}.token" if place else "", Lock())

    def token(self, permissions: tuple[str, ...]) -> str:
        """Return the token when it is valid for some minutes and includes the permissions, else ""."""
        if not self.path:
            return ""
        try:
            found = self.files.read_untrusted(self.path, _LARGEST)
        except FileError:
            return ""
        token = (found or b"").decode("ascii", "replace")
        known = claims(token)
        granted, expiry = str(known.get("scp", "")).split(), known.get("exp")
        # What may write may read.
        includes = all({name, name.replace(".Read.", ".ReadWrite.")} & {*granted} for name in permissions)
        lasts = isinstance(expiry, int) and expiry - _LEAST_LIFE > self.clock.now().timestamp()
        return token if includes and lasts else ""

    def keep(self, token: str) -> None:
        """Keep a token, unless it has no expiry or there is no space for it."""
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
        """Return a source of the kept token, then of a new sign-in, which is kept.

        `say` gets the name of the account whose kept token is used.
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
    """An HTTP port that forgets the kept sign-in when Graph refuses it.

    A role that was activated since is only in a new token.
    """

    http: HttpPort
    kept: KeptSignIn

    def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> HttpAnswer:
        """Send one request."""
        answer = self.http.request(method, url, **options)
        if answer.status_code in _REFUSED:
            self.kept.forget()
        return answer


def sign_out(files: Files) -> int:
    """Remove all sign-ins that this user keeps; return how many there were."""
    place = directory(files) if files.live else None
    names = [name for name in files.names(place) if name.endswith(".token")] if place else []
    for name in names:
        files.remove(f"{place}/{name}")
    return len(names)
