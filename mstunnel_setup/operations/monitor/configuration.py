"""The server configuration that the monitor served last, and the one before it, to go back to.

Its record lies beside the journal, where the agent cannot write. It is written before the gateway's files, so
whatever a kill leaves half done is recognised by the file that stands there.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from mstunnel_setup import paths
from mstunnel_setup.host.files import Files

Outcome: TypeAlias = Literal["applying", "accepted", "refused"]
Turn: TypeAlias = Literal["rest", "hear", "go-back", "again"]


class Served(BaseModel):
    """What was made of the agent's last data.

    `wanted` names what it was rendered to, whatever the port and the log level; `written` is the SHA-256 of
    the `ocserv.conf` that was written, and `previous` the texts of the two files before that, by path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    wanted: str
    written: str
    outcome: Outcome
    reason: str = ""
    previous: dict[str, str] = {}

    def turn(self, configuration: bytes) -> Turn:
        """What is left to do while `configuration` stands there as `ocserv.conf`.

        `hear` what the gateway says of it, `go-back` to what was before, apply it `again` because a kill came
        before it was written, or `rest`: also when another command has written a configuration since.
        """
        stands = digest_of(configuration) == self.written
        if self.outcome == "refused":
            return "go-back" if stands and self.previous else "rest"
        if self.outcome == "applying":
            if stands:
                return "hear"
            cut_off = configuration.decode(errors="replace") == self.previous.get(paths.OCSERV_CONF)
            return "again" if cut_off else "rest"
        return "rest"

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
