"""`mst-cli diagnose`: one file that explains a problem, without secrets, previewed before it is written."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from pydantic import Field

from mstunnel_setup import __version__
from mstunnel_setup.actions import firewall, uplink
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, UsageError, declared
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.redaction import Scrubber
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import json_bytes
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.containers.choice import EnginePreference
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.containers.gateway_host import GatewayHost, gateway_host
from mstunnel_setup.install.installed import open_host
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import refuse_present
from mstunnel_setup.io.systemd import trusted_writers
from mstunnel_setup.operations.backup import pack
from mstunnel_setup.operations.certificate.check import check
from mstunnel_setup.operations.health import health
from mstunnel_setup.operations.readiness import ReadinessRequest
from mstunnel_setup.operations.readiness import run as readiness
from mstunnel_setup.operations.status import overview
from mstunnel_setup.operations.version import version
from mstunnel_setup.transaction.errors import JournalError

_CONFIGURATION = (
    *(paths.ENVIRONMENT, paths.ADMIN_SETTINGS, paths.AGENT_INFO, paths.AGENT_SETTINGS, paths.VERSION_INFO),
    *(paths.IMAGES_CONFIGURED, paths.OCSERV_CONF, paths.OIDC_JSON, paths.LOG_LEVEL, paths.PROBE_URL),
    *(f"{paths.STATE}/receipt.json", f"{paths.STATE}/journal.jsonl", paths.SETUP_LOG, "/etc/os-release"),
    *(uplink_address.HOOK, uplink.RULES, firewall.RULES, firewall.CONTAINER_RULES),
)
_TAGS = ("mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink", "ocserv")
_UNITS = (f"{paths.SERVER}.service", f"{paths.AGENT}.service", "mstunnel_monitor.service")
_SINCE = "24 hours ago"
_SECONDS = 60.0
_LOG_LINES = 20_000
# The access log names users and destinations. The journal prints its tag before the text, so everything under
# that tag is removed.
_ACCESS_LOG = re.compile(r"^.*(?:\bACCESS_LOG,| ocserv-access(?:\[\d+\])?: ).*\n?", re.MULTILINE)
_ACCOUNT = re.compile(r"(?:://|_proxy=(?!['\"]?\w+://)['\"]?)(.+)@", re.IGNORECASE)
# Other programs' settings whose name says secret are removed, unless the value is a path.
_SETTING = re.compile(
    r"^\s*(?:export\s+)?\w*(?:key|secret|pass|token|credential)\w*=(['\"]?)(?!/[\w./-]+\1\s*$)(.+)\1\s*$",
    re.IGNORECASE | re.MULTILINE,
)
SCHEMA = "mstunnel-diagnostic/1"


class DiagnosticFile(Report):
    """A file of the archive: its name, size and number of redactions."""

    name: str
    bytes: int
    redactions: int = Field(description="Number of secrets removed.")


class DiagnosticReport(Report):
    """The path of the archive (null for a preview) and its contents.

    `redactions` counts the removed secrets of each file by kind.
    """

    file: str | None
    redactions: dict[str, dict[str, int]]
    contents: tuple[DiagnosticFile, ...]


def collect(operator: Operator, host: GatewayHost) -> dict[str, str]:
    """Return the contents by name in the archive, secrets included; leave out files that this host lacks."""
    commands: dict[str, Callable[[Operator], Result]] = {
        "readiness": lambda operator: readiness(operator, ReadinessRequest()),
        "health": health,
        "status": overview,
        "certificate": check,
        "version": version,
    }
    parts: dict[str, Callable[[], str | None]] = {
        **{f"checks/{name}.json": partial(_command, command, operator) for name, command in commands.items()},
        **{f"files{path}": partial(_file, host, path) for path in _CONFIGURATION},
    }
    for name in (paths.SERVER, paths.AGENT):
        parts[f"containers/{name}.json"] = partial(_inspected, host, name)
        parts[f"logs/{name}.log"] = partial(_container_log, host, name)
    parts["logs/journal.log"] = partial(_journal, host)
    found: dict[str, str] = {}
    for name, read in parts.items():
        try:
            content = read()
        except Exception as error:  # noqa: BLE001 (whatever is wrong here, the other parts may explain it)
            # The text of an unforeseen error may quote a secret, so only its type and location are kept.
            known = declared(error)
            content = text("not collected: {code}: {message}\n", code=known.code, message=known.message)
        if content is not None:
            found[name] = content
    return found


def known_secrets(host: GatewayHost) -> list[bytes]:
    """Return the secrets in this program's files on this host: keys and env.sh.

    Raises FileError for a file that cannot be read, unless the agent owns it.
    """
    found = [host.files.read(path) for path in (paths.SITE_KEY, paths.SITE_PFX)]
    for path in (paths.AGENT_CREDENTIAL, paths.AGENT_SECRET):
        # The agent can put anything in its files; an unreadable file is not collected, so it leaks nothing.
        with suppress(FileError):
            found.append(host.files.read(path))
    names = host.files.names(paths.GENERATIONS)
    found += [host.files.read(f"{paths.GENERATIONS}/{name}/key.pem") for name in names]
    settings = (host.files.read(paths.ENVIRONMENT) or b"").decode("utf-8", errors="replace")
    # The login in an address ends at the line's last @, because passwords are often not percent-encoded.
    for account in _ACCOUNT.findall(settings):
        _user, _colon, password = account.partition(":")
        found += [part.encode() for part in (account, password, unquote(password)) if part]
    found += [value.encode() for _quote, value in _SETTING.findall(settings)]
    return [secret for secret in found if secret]


def _command(command: Callable[[Operator], Result], operator: Operator) -> str:
    result = command(operator)
    problems = {"warnings": [notice.data for notice in result.warnings]}
    return json.dumps({"status": result.status, "data": result.data, **problems}, indent=2) + "\n"


def _inspected(host: GatewayHost, name: str) -> str:
    found = host.engine.inspect(name)
    return json.dumps(None if found is None else vars(found), indent=2, default=str) + "\n"


def _container_log(host: GatewayHost, name: str) -> str:
    command = host.engine.logs_command(name, LogOptions(lines=_LOG_LINES, since="24h", timestamps=True))
    finished = host.processes.run(command, timeout=_SECONDS, check=False)
    return _ACCESS_LOG.sub("", f"{finished.output}{finished.error}")


def _journal(host: GatewayHost) -> str | None:
    if not host.systemd.running():
        return None
    fixed = ("journalctl", "--no-pager", "--utc", f"--since={_SINCE}", f"--lines={_LOG_LINES}")
    option = "--user-unit" if paths.ROOTLESS else "--unit"
    tags = [f"--identifier={tag}" for tag in _TAGS]
    which = ([*tags, *trusted_writers()], [f"{option}={unit}" for unit in _UNITS])
    tagged, of_units = (
        host.processes.run([*fixed, *words], timeout=_SECONDS, check=False) for words in which
    )
    return _ACCESS_LOG.sub("", f"{tagged.output}{of_units.output}{of_units.error}")


def _file(host: GatewayHost, path: str) -> str | None:
    content = host.files.read(path)
    return None if content is None else content.decode("utf-8", errors="replace")


def diagnose(operator: Operator, file: Path | None) -> Result[DiagnosticReport]:
    """Collect the files, redact secrets, show a preview, and write the archive unless the user declines.

    Replaces a part that fails by its error; an unreadable journal does not stop the collection. Raises
    UsageError if the file exists, CheckError if a secret would be written.
    """
    if file is not None:
        refuse_present(file)
    with ExitStack() as opened:
        try:
            host = opened.enter_context(open_host(operator))
        except (JournalError, FileError):
            # One part of the report describes a damaged journal, so any installed engine will do here.
            scope = Scope.ACCOUNT if paths.ROOTLESS else Scope.ALL
            host = opened.enter_context(gateway_host(operator, scope, EnginePreference()))
        now = host.clock.now().isoformat(timespec="seconds")
        secrets = known_secrets(host)
        collected = collect(operator, host)
    files, redactions = _redacted(collected, Scrubber(secrets))
    counted = json_bytes({name: {**counts} for name, counts in redactions.items()})
    files = {"redactions.json": counted, **files}
    about = _listed(file, files, redactions)
    manifest = {"schema": SCHEMA, "version": __version__, "created": now, **about.data}
    files = {"manifest.json": json_bytes(manifest), **files}
    found = _listed(file, files, redactions)
    preview = [f"{'Bytes':>9} {'Redacted':>9} File"]
    preview += [f"{row.bytes:>9} {row.redactions:>9} {row.name}" for row in found.contents]
    if file is None:
        lines = [*preview, text("Write it with `mst-cli diagnose FILE.tar.gz`.")]
        return Result("ok", found, text=lines)
    if operator.console.interactive:
        operator.console.say("\n".join(preview))
        if not operator.console.confirm("Write these files into one archive?"):
            raise UsageError(
                "diagnose-declined", "nothing was written", hint="Run the command again and answer yes."
            )
    scrubber = Scrubber(secrets)
    if leaked := [name for name, content in files.items() if scrubber.holds(content.decode())]:
        raise CheckError(
            "secret-in-bundle",
            "nothing was written: the file would contain a secret: {found}",
            hint="This is an error in the program. Report it.",
            found=json.dumps(leaked),
        )
    operator.files.given.write(str(file), pack(files), 0o600)
    review = warning(
        "look-before-sending",
        "the file contains no known secret, but it contains names and addresses",
        hint="Review it before you send it.",
    )
    return Result("changed", found, (review,), text=[text("Written: {file}.", file=file)])


def _redacted(
    collected: Mapping[str, str], scrubber: Scrubber
) -> tuple[dict[str, bytes], dict[str, dict[str, int]]]:
    """Return the redacted files, and for each the number of removed secrets by kind."""
    files: dict[str, bytes] = {}
    redactions: dict[str, dict[str, int]] = {}
    for name, content in collected.items():
        scrubber.counts.clear()
        files[name] = scrubber.clean(content).encode()
        redactions[name] = {kind: count for kind, count in sorted(scrubber.counts.items()) if count}
    return files, redactions


def _listed(
    file: Path | None, files: Mapping[str, bytes], redactions: Mapping[str, dict[str, int]]
) -> DiagnosticReport:
    """Return the report with every file's size and the number of secrets removed from it."""
    return DiagnosticReport(
        file=None if file is None else str(file),
        redactions={**redactions},
        contents=tuple(
            DiagnosticFile(name=name, bytes=len(content), redactions=sum(redactions.get(name, {}).values()))
            for name, content in files.items()
        ),
    )
