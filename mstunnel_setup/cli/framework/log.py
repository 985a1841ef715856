"""The log of the set-up: JSON lines of what was done to the host."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Any

from mstunnel_setup.base import paths
from mstunnel_setup.base.events import Event
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files


class SetupLog:
    """JSON lines in a file of mode 0600: time, run, step, phase, action, text, seconds.

    Nothing is written until something is done to the host: a run that finds everything in order, or that
    refuses its answers, leaves no trace. From then on the file stays open until `close`. A log that cannot be
    written does not stop the run; `failure` tells.
    """

    def __init__(
        self, files: Files, clock: Clock, redactor: Redactor, run: str, path: str = paths.SETUP_LOG
    ) -> None:
        self._files = files
        self._clock = clock
        self._redactor = redactor
        self._run = run
        self._waiting: list[bytes] = []
        self._begun = False
        self._opened = ExitStack()
        self._appender: Appender | None = None
        self.path = path
        self.failure: FileError | None = None

    @property
    def place(self) -> Path:
        """Where the file is on this machine."""
        return self._files.locate(self.path)

    def event(self, event: Event) -> None:
        """Log an event; the first one of an action opens the log."""
        fields = {
            "step": event.step,
            "phase": event.phase,
            "action": event.action,
            "text": event.text,
            "seconds": round(event.seconds, 3),
        }
        self._put(fields, at_once=bool(event.action))

    def crash(self, trace: str) -> None:
        """Log the traceback of a bug."""
        fields = {"step": "", "phase": "crash", "action": "", "text": trace, "seconds": 0.0}
        self._put(fields, at_once=True)
        self.close()

    def close(self) -> None:
        """Let go of the file; a later event opens it again."""
        self._appender = None
        self._opened.close()

    def _put(self, fields: Mapping[str, Any], *, at_once: bool) -> None:
        time = self._clock.now().isoformat(timespec="milliseconds")
        record = self._redactor.clean_value({"time": time, "run": self._run, **fields})
        self._waiting.append(json.dumps(record).encode() + b"\n")
        self._begun = self._begun or at_once
        if self._begun and self.failure is None:
            self._write()

    def _write(self) -> None:
        try:
            appender = self._appender or self._open()
            appender.append(b"".join(self._waiting))
        except FileError as error:
            self.failure = error
        self._waiting = []

    def _open(self) -> Appender:
        self._files.make_directories(str(PurePosixPath(self.path).parent), 0o750)
        opening = self._files.appender(self.path, 0o600, durable=False)
        self._appender = self._opened.enter_context(opening)
        return self._appender
