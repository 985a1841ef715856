"""The server configuration that the monitor served last, and the one before it, to go back to.

Its record lies beside the journal, where the agent cannot write. It is written before the gateway's files, so
whatever a kill leaves half done is recognised by the file that stands there.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files

Outcome: TypeAlias = Literal["applying", "accepted", "refused"]
Turn: TypeAlias = Literal["rest", "hear", "go-back", "again"]


class Served(BaseModel):
    """What was made of the agent's last data.

    `wanted` names what it was rendered to, whatever the port and the log level. `written` and `settings` are
    the SHA-256 of the `ocserv.conf` and of the `admin-settings.json` that were written; an earlier release
    recorded no `settings`. `previous` are the texts of the two files before that, by path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    wanted: str
    written: str
    settings: str = ""
    outcome: Outcome
    reason: str = ""
    previous: dict[str, str] = {}

    def turn(self, present: Mapping[str, bytes | None]) -> Turn:
        """What is left to do while the two files are as `present`.

        `hear` what the gateway says of it, `go-back` to what was before, apply it `again` because a kill came
        before both were written, or `rest`: also when another command has written a configuration since.
        """
        stands = digest_of(present.get(paths.OCSERV_CONF) or b"") == self.written
        if self.outcome == "refused":
            return "go-back" if stands and self._refused_left(present) else "rest"
        if self.outcome == "accepted":
            return "rest"
        if self._cut_off(present):
            return "again"
        return "hear" if stands else "rest"

    @property
    def _digests(self) -> Mapping[str, str]:
        return {paths.OCSERV_CONF: self.written, paths.ADMIN_SETTINGS: self.settings}

    def _refused_left(self, present: Mapping[str, bytes | None]) -> bool:
        """Whether a file is still the refused one; a file that the change left alone is not."""
        for path, written in self._digests.items():
            content, before = present.get(path) or b"", self.previous.get(path)
            if before not in (None, content.decode(errors="replace")) and digest_of(content) == written:
                return True
        return False

    def _cut_off(self, present: Mapping[str, bytes | None]) -> bool:
        """Whether one of the files is still the one before."""
        for path, written in self._digests.items():
            content = present.get(path)
            text = None if content is None else content.decode(errors="replace")
            if written and text == self.previous.get(path) and digest_of(content or b"") != written:
                return True
        return False

    def after(self, refusal: str | None) -> "Served":
        """The record once the gateway has spoken; `refusal` is None when it serves what was written."""
        if refusal is None:
            return self.model_copy(update={"outcome": "accepted", "previous": {}})
        return self.model_copy(update={"outcome": "refused", "reason": refusal})

    @property
    def files_before(self) -> Mapping[str, bytes]:
        """The two files to go back to, in the order to write them; empty when there were none."""
        return {path: text.encode() for path, text in self.previous.items()}


def digest_of(configuration: bytes) -> str:
    """SHA-256 in hex of an `ocserv.conf`, as the gateway names it."""
    return hashlib.sha256(configuration).hexdigest()


def read_record(files: Files) -> Served | None:
    """The record; one that is damaged, or of a newer version, is none: all is judged again then."""
    try:
        return Served.model_validate_json(files.read(paths.SERVED_CONFIGURATION) or b"")
    except ValidationError:
        return None


def write_record(files: Files, served: Served) -> None:
    """Replace the record; it is on the disk when this returns."""
    files.write(paths.SERVED_CONFIGURATION, served.model_dump_json(indent=2).encode() + b"\n", 0o600)
