"""`mst-cli diagnose`: what explains a problem, in one file, without secrets; shown before it is written."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

from mstunnel_setup import __version__
from mstunnel_setup.actions.host import Host, Scope, build_host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, UsageError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.redaction import Scrubber
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, as_list, as_object, json_bytes
from mstunnel_setup.containers.choice import EnginePreference
from mstunnel_setup.install.installed import open_host
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import refuse_present
from mstunnel_setup.operations.backup_archive import pack
from mstunnel_setup.operations.diagnose.collect import collect, known_secrets
from mstunnel_setup.transaction.errors import JournalError

SCHEMA = "mstunnel-diagnostic/1"
_MANIFEST = "manifest.json"
_REDACTIONS = "redactions.json"

# Of each file, how many secrets of each kind were taken out of it.
_Redactions: TypeAlias = Mapping[str, dict[str, int]]


def diagnose(operator: Operator, file: Path | None) -> Result:
    """Collect, redact secrets, show the preview; write it to `file` unless a person declines.

    A part that fails is replaced by its error, and a journal that cannot be read stops nothing.
    Raises UsageError when the file is there already, CheckError when a secret would have gone into it.
    """
    if file is not None:
        refuse_present(file)
    with _host(operator) as ports:
        now = ports.clock.now().isoformat(timespec="seconds")
        secrets = known_secrets(ports)
        contents, redactions = _redacted(collect(operator, ports), Scrubber(secrets))
    taken_out: JsonObject = {name: {**counts} for name, counts in redactions.items()}
    files = {_REDACTIONS: json_bytes(taken_out), **{name: lines.encode() for name, lines in contents.items()}}
    about: JsonObject = {"file": None if file is None else str(file), "redactions": taken_out}
    manifest = {
        "schema": SCHEMA,
        "version": __version__,
        "created": now,
        **about,
        **_listed(files, redactions),
    }
    files = {_MANIFEST: json_bytes(manifest), **files}
    data: JsonObject = {**about, **_listed(files, redactions)}
    listed = [as_object(row) for row in as_list(data["contents"])]
    rows = [(str(row["bytes"]), str(row["redactions"]), str(row["name"])) for row in listed]
    preview = [
        f"{size:>9} {redacted:>9} {name}" for size, redacted, name in [("Bytes", "Redacted", "File"), *rows]
    ]
    if file is None:
        lines = [*preview, text("Write it with `mst-cli diagnose FILE.tar.gz`.")]
        return Result("ok", data, text=lines)
    _agree(operator, preview)
    scrubber = Scrubber(secrets)
    if found := [name for name, content in files.items() if scrubber.holds(content.decode())]:
        raise CheckError(
            "secret-in-bundle",
            "nothing was written: the file would contain a secret: {found}",
            hint="This is an error in the program. Report it.",
            found=json.dumps(found),
        )
    operator.files.given.write(str(file), pack(files), 0o600)
    return Result(
        "changed",
        data,
        (
            warning(
                "look-before-sending",
                "the file contains no known secret, but it contains names and addresses",
                hint="Review it before you send it.",
            ),
        ),
        text=[text("Written: {file}.", file=file)],
    )


@contextmanager
def _host(operator: Operator) -> Iterator[Host]:
    """The ports of this host; where its journal cannot be read, with the first engine that is here."""
    with ExitStack() as opened:
        try:
            ports = opened.enter_context(open_host(operator))
        except (JournalError, FileError):
            # A part of the report names what is wrong with it.
            scope = Scope.ACCOUNT if paths.ROOTLESS else Scope.ALL
            ports = opened.enter_context(build_host(operator, scope, EnginePreference()))
        yield ports


def _redacted(found: Mapping[str, str], scrubber: Scrubber) -> tuple[dict[str, str], _Redactions]:
    contents: dict[str, str] = {}
    redactions: dict[str, dict[str, int]] = {}
    for name, content in found.items():
        scrubber.counts.clear()
        contents[name] = scrubber.clean(content)
        redactions[name] = {kind: count for kind, count in sorted(scrubber.counts.items()) if count}
    return contents, redactions


def _listed(files: Mapping[str, bytes], redactions: _Redactions) -> JsonObject:
    """Every file with its size, and how many secrets were taken out of it."""
    contents: list[JsonValue] = [
        {"name": name, "bytes": len(content), "redactions": sum(redactions.get(name, {}).values())}
        for name, content in files.items()
    ]
    return {"contents": contents}


def _agree(operator: Operator, preview: list[str]) -> None:
    console = operator.console
    if not console.interactive:
        return
    console.say("\n".join(preview))
    if not console.confirm("Write these files into one archive?"):
        raise UsageError(
            "diagnose-declined",
            "nothing was written",
            hint="Run the command again and answer yes.",
        )
