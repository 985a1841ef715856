"""The content of the diagnostic file, part by part: a part that fails is replaced by its error."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from urllib.parse import unquote

from mstunnel_setup.actions import forwarding, uplink
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import declared
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.certificate.check import check
from mstunnel_setup.operations.health import health
from mstunnel_setup.operations.readiness import ReadinessRequest
from mstunnel_setup.operations.readiness import run as readiness
from mstunnel_setup.operations.status import overview
from mstunnel_setup.operations.version import version

_CONFIGURATION = (
    *(paths.ENVIRONMENT, paths.ADMIN_SETTINGS, paths.AGENT_INFO, paths.AGENT_SETTINGS, paths.VERSION_INFO),
    *(paths.IMAGES_CONFIGURED, paths.OCSERV_CONF, paths.OIDC_JSON, paths.LOG_LEVEL, paths.PROBE_URL),
    *(f"{paths.STATE}/receipt.json", f"{paths.STATE}/journal.jsonl", paths.SETUP_LOG, "/etc/os-release"),
    *(uplink.HOOK, uplink.RULES, forwarding.RULES),
)
_TAGS = ("mstunnel-agent", "mstunnel_monitor", "mstunnel_uplink", "ocserv")
_UNITS = (f"{paths.SERVER}.service", f"{paths.AGENT}.service", "mstunnel_monitor.service")
_SINCE = text("24 hours ago")
_SECONDS = 60.0
_LOG_LINES = 20_000
# Who went where, and what else is under the tag of the access log: the journal shows the tag before the text.
_ACCESS_LOG = re.compile(r"^.*(?:\bACCESS_LOG,| ocserv-access(?:\[\d+\])?: ).*\n?", re.MULTILINE)
_ACCOUNT = re.compile(r"(?:://|_proxy=(?!['\"]?\w+://)['\"]?)(.+)@", re.IGNORECASE)
# A setting of another program that is called a secret, and is not the path of one.
_SETTING = re.compile(
    r"^\s*(?:export\s+)?\w*(?:key|secret|pass|token|credential)\w*=(['\"]?)(?!/[\w./-]+\1\s*$)(.+)\1\s*$",
    re.IGNORECASE | re.MULTILINE,
)


def collect(operator: Operator, ports: Host) -> dict[str, str]:
    """Contents by name in the archive, secrets still in them."""
    found = {name: _attempt(read) for name, read in _parts(operator, ports)}
    return {name: text for name, text in found.items() if text is not None}


def known_secrets(ports: Host) -> list[bytes]:
    """Every secret that lies on this host where ours are kept: keys, RADIUS servers, env.sh.

    Raises FileError for what cannot be read, except what the agent owns.
    """
    found = [ports.files.read(path) for path in (paths.SITE_KEY, paths.SITE_PFX)]
    for path in (paths.AGENT_CREDENTIAL, paths.AGENT_SECRET):
        # The agent can put anything there; no part holds what cannot be read.
        with suppress(FileError):
            found.append(ports.files.read(path))
    names = ports.files.names(paths.GENERATIONS)
    found += [ports.files.read(f"{paths.GENERATIONS}/{name}/key.pem") for name in names]
    servers = (ports.files.read(paths.RADIUS_SERVERS) or b"").splitlines()
    found += [line.partition(b" ")[2] for line in servers if not line.startswith(b"#")]
    settings = (ports.files.read(paths.ENVIRONMENT) or b"").decode("utf-8", errors="replace")
    # Up to the last @ of the line: a password in an address is seldom encoded.
    for account in _ACCOUNT.findall(settings):
        _user, _colon, password = account.partition(":")
        found += [part.encode() for part in (account, password, unquote(password)) if part]
    found += [value.encode() for _quote, value in _SETTING.findall(settings)]
    return [secret for secret in found if secret]


def _parts(operator: Operator, ports: Host) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """What reads each part; None is what this host does not have."""
    commands: dict[str, Callable[[Operator], Result]] = {
        "readiness": _readiness,
        "health": health,
        "status": overview,
        "certificate": check,
        "version": version,
    }
    for name, command in commands.items():
        yield f"checks/{name}.json", partial(_command, command, operator)
    for path in _CONFIGURATION:
        yield f"files{path}", partial(_file, ports, path)
    for name in (paths.SERVER, paths.AGENT):
        yield f"containers/{name}.json", partial(_inspected, ports, name)
        yield f"logs/{name}.log", partial(_container_log, ports, name)
    yield "logs/journal.log", partial(_journal, ports)


def _attempt(read: Callable[[], str | None]) -> str | None:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 (whatever is wrong here, the other parts may explain it)
        # Of an unforeseen error only kind and place: its text may quote anything.
        known = declared(error)
        return text("not collected: {code}: {message}\n", code=known.code, message=known.message)


def _readiness(operator: Operator) -> Result:
    return readiness(operator, ReadinessRequest())


def _command(command: Callable[[Operator], Result], operator: Operator) -> str:
    result = command(operator)
    problems = {"warnings": [notice.data for notice in result.warnings]}
    return json.dumps({"status": result.status, "data": dict(result.data), **problems}, indent=2) + "\n"


def _inspected(ports: Host, name: str) -> str:
    found = ports.engine.inspect(name)
    return json.dumps(None if found is None else vars(found), indent=2, default=str) + "\n"


def _container_log(ports: Host, name: str) -> str:
    command = ports.engine.logs_command(name, LogOptions(lines=_LOG_LINES, since="24h", timestamps=True))
    finished = ports.processes.run(command, timeout=_SECONDS, check=False)
    return _without_access_log(f"{finished.output}{finished.error}")


def _journal(ports: Host) -> str | None:
    if not ports.systemd.running():
        return None
    which = [f"--identifier={tag}" for tag in _TAGS]
    fixed = ("journalctl", "--no-pager", "--utc", f"--since={_SINCE}", f"--lines={_LOG_LINES}")
    option = "--user-unit" if paths.ROOTLESS else "--unit"
    units = [f"{option}={unit}" for unit in _UNITS]
    tagged = ports.processes.run([*fixed, *which], timeout=_SECONDS, check=False)
    of_units = ports.processes.run([*fixed, *units], timeout=_SECONDS, check=False)
    return _without_access_log(f"{tagged.output}{of_units.output}{of_units.error}")


def _without_access_log(text: str) -> str:
    return _ACCESS_LOG.sub("", text)


def _file(ports: Host, path: str) -> str | None:
    content = ports.files.read(path)
    return None if content is None else content.decode("utf-8", errors="replace")
