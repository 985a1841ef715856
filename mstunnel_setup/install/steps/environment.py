"""Step `environment`: create the directories, write `env.sh`, and copy the extra trusted roots."""

import contextlib
import hashlib
import os
from collections import ChainMap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from mstunnel_setup.actions.containers import MakeStateDirectory
from mstunnel_setup.actions.files import CopyFile, MakeDirectory, MergeFile, WriteFile
from mstunnel_setup.actions.service_account import GiveToAgent
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.answers.variables import (
    PROXIES,
    in_both_cases,
    proxies_of,
    proxy_place,
    refuse_wrong,
    without_login,
)
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CA_FILE_MISSING, CertificateError, UsageError, WaitingError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import joined, text, with_hint
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.gateway import env_file
from mstunnel_setup.gateway.env_file import EnvironmentFileError
from mstunnel_setup.install.run import Run
from mstunnel_setup.readiness.facts.section import text_of
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.step import Step

_MEANINGS: Mapping[str, str] = {
    "http_proxy": text("proxy for http addresses"),
    "https_proxy": text("proxy for https addresses"),
    "no_proxy": text("what bypasses the proxy"),
    "TRACE_SESSIONS": text("access log: 1, or 2 with DNS connections"),
    "DEBUG_LEVEL": text("detail of the server log: 0 to 4"),
    "CLIENT_TO_CLIENT": text("true: devices reach each other"),
}
_STOP = "stop"
WANTED = "environment.wanted"
TENANT_ROOTS = f"{paths.CA_TRUST}/tenant-ca.crt"
"""File with the certificates of `tenant.ca_file`."""
_SHELL_PROXIES = "/etc/profile.d/http_proxy.sh"
DIRECTORIES = ((paths.CERTIFICATES, 0o755), (paths.PRIVATE, paths.PRIVATE_MODE), (paths.CA_TRUST, 0o755))


@dataclass(frozen=True)
class Environment:
    """The text of `env.sh`, the settings in it that this program manages, and the extra root CAs.

    The CAs are a file and its SHA-256, or PEM text. If `rootless`, the agent runs as the account, which
    already owns the agent's directories.
    """

    text: str
    wanted: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    ca_digest: str = ""
    ca_pem: str = ""
    rootless: bool = False


def _gather(run: Run) -> Environment:
    current = run.files.read(paths.ENVIRONMENT)
    present = None if current is None else env_file.decode(current, paths.ENVIRONMENT)
    # A missing line means that an administrator removed it only if the file exists.
    before = _before(run) if present is not None else {}
    wanted = _wanted(run)
    # A proxy that an administrator wrote into `env.sh` in lower or upper case applies to both.
    known = env_file.parse(present or "", paths.ENVIRONMENT)
    edited = proxies_of({name: value for name, value in known.items() if before.get(name) != value})
    content = env_file.merge(present, before, wanted | in_both_cases(edited), paths.ENVIRONMENT)
    # A proxy should have no password; if it has one, plans and messages must not show it.
    for variables in (known, env_file.parse(content, paths.ENVIRONMENT)):
        for name in (*PROXIES, *map(str.upper, PROXIES)):
            _, login = without_login(variables.get(name, ""))
            if password := login.partition(":")[2]:
                run.protect(password)
                run.protect(unquote(password))
    run.environment = content.encode()
    ca_file, ca_digest = run.answers.tenant.ca_file, ""
    if ca_file:
        roots = run.files.read_given(ca_file)
        if roots is None:
            raise CA_FILE_MISSING(path=ca_file)
        # All users can read the copy below ca-trust, so a file with a private key is refused.
        with contextlib.suppress(CertificateError):
            if read_material(roots).keys:
                raise UsageError(
                    "ca-file-with-key",
                    "{ca_file} contains a private key",
                    hint="Give a file that contains certificates only.",
                    ca_file=ca_file,
                )
        ca_digest = hashlib.sha256(roots).hexdigest()
    ca_pem = run.answers.tenant.ca_pem or ""
    return Environment(content, wanted, ca_file, ca_digest, ca_pem, paths.ROOTLESS)


def content(run: Run) -> bytes:
    """Return the content of `env.sh` after its step."""
    if run.environment is not None:
        return run.environment
    return run.files.read(paths.ENVIRONMENT) or b""


def settings(run: Run) -> Mapping[str, str]:
    """Return the settings in `env.sh` after its step. Raises EnvironmentFileError if it cannot be parsed."""
    return env_file.parse(env_file.decode(content(run), paths.ENVIRONMENT), paths.ENVIRONMENT)


def _before(run: Run) -> Mapping[str, str]:
    """Return the settings of an earlier run; the other lines of the file belong to the administrator."""
    return {name: str(value) for name, value in as_object(remembered(run.receipt, WANTED)).items()}


def _wanted(run: Run) -> dict[str, str]:
    """Return the variables for `env.sh`: proxies in lower and upper case, overridden by the answers.

    Proxies come from the shell, from /etc/profile.d or from an earlier run: sudo may drop those of the shell,
    which does not mean that the proxy was removed.
    """
    wanted = dict(run.answers.environment)
    if run.answers.client_to_client:
        wanted["CLIENT_TO_CLIENT"] = "true"
    # The sources are read separately: merged, an old lower-case name would hide a new upper-case one.
    sources = (wanted, os.environ, _shell_proxies(run), _before(run))
    found = ChainMap(*map(proxies_of, sources))
    return wanted | in_both_cases({name: found[name] for name in PROXIES if name in found})


def _shell_proxies(run: Run) -> dict[str, str]:
    """Return the plain assignments in the profile of all shells; empty if an earlier run wrote that file."""
    # An administrator may have made the profile readable by root only; a rootless run continues without it.
    profile = text_of(run.files, _SHELL_PROXIES)
    written = run.receipt.entries.get(f"file:{_SHELL_PROXIES}")
    if written is not None and written.versions[-1].get("text") == profile:
        return {}
    found: dict[str, str] = {}
    for line in profile.splitlines():
        with contextlib.suppress(EnvironmentFileError):
            found |= env_file.parse(line, _SHELL_PROXIES)
    return found


def proxies(run: Run) -> dict[str, str]:
    """Return the proxy variables (lower case) in `env.sh` after its step.

    Root's part of a rootless installation uses only those that an administrator passes: `env.sh` belongs to
    the account, and this part sets the proxy for all users, including root.
    """
    if run.host.scope is Scope.HOST and not paths.ROOTLESS:
        return proxies_of(_wanted(run))
    return proxies_of(settings(run))


def service_ports(run: Run) -> tuple[int, ...]:
    """Return the TCP ports of a lab tenant and of the proxies, which may be services of this host."""
    tenant = run.answers.tenant
    addresses = [proxy_place(url) for url in (tenant.authority, tenant.graph) if url]
    # In a rootless installation root's part runs before `env.sh` is written.
    for found in (proxies(run), proxies_of(_wanted(run))):
        addresses += [proxy_place(url) for name, url in found.items() if name != "no_proxy"]
    return tuple(sorted({address[1] for address in addresses if address is not None}))


def adopt_proxies(run: Run) -> None:
    """Set the proxies of `env.sh` for this process and its children, unless the shell sets them."""
    for name, value in in_both_cases(proxies(run)).items():
        os.environ.setdefault(name, value)


def _decide(environment: Environment) -> Sequence[Action]:
    actions: list[Action] = [MakeDirectory(path=path, mode=mode) for path, mode in DIRECTORIES]
    actions.append(MakeStateDirectory(path=paths.AGENT_DIRECTORY))
    actions += given_to_agent(paths.AGENT_DIRECTORY, rootless=environment.rootless)
    # The settings are stored after the file is written: if the run is killed in between, the next one still
    # recognizes the older lines as its lines.
    actions.append(MergeFile(path=paths.ENVIRONMENT, text=environment.text, mode=0o640))
    actions.append(StoreAnswer(name=WANTED, value={**environment.wanted}))
    if environment.ca_file is not None:
        actions.append(CopyFile(source=environment.ca_file, digest=environment.ca_digest, path=TENANT_ROOTS))
    elif environment.ca_pem:
        actions.append(WriteFile(path=TENANT_ROOTS, text=environment.ca_pem))
    return actions


def _prove(run: Run, _environment: Environment) -> None:
    """Let a person edit `env.sh` once, before later steps use it."""
    if not run.console.interactive or STEP.name in run.receipt.steps:
        return
    run.console.say(joined(described(settings(run)), "\n"))
    while True:
        question = text("Edit the file now if needed, then press Enter (or type {stop})", stop=_STOP)
        typed = run.console.ask(question, default="")
        if typed.lower() == _STOP:
            raise WaitingError(
                "environment-to-edit",
                "stopped so that you can edit {path}",
                hint="Edit the file, then run the same command again; it continues from here.",
                path=paths.ENVIRONMENT,
            )
        run.environment = None
        if typed:
            run.console.say("Press Enter to continue, or type {stop}.", stop=_STOP)
            continue
        try:
            for name, value in settings(run).items():
                refuse_wrong(name, value)
        except EnvironmentFileError as error:
            # The message of this error already names the file.
            run.console.say(with_hint(error.message, error.hint))
        except UsageError as error:
            message, hint = error.message, error.hint
            run.console.say(
                "{environment}: {message}. {hint}", environment=paths.ENVIRONMENT, message=message, hint=hint
            )
        else:
            return


def described(found: Mapping[str, str]) -> Iterator[str]:
    """Yield lines that name `env.sh` and each variable with its purpose and its value in `found`."""
    yield text("The settings of the gateway are in {environment}:", environment=paths.ENVIRONMENT)
    others = {name: "" for name in found if name not in _MEANINGS and name.lower() not in PROXIES}
    shown = {**found, **proxies_of(found)}
    for name, meaning in {**_MEANINGS, **others}.items():
        value = shown.get(name) or text("not set")
        yield text("  {name:17} {meaning:42} {set}", name=name, meaning=meaning, set=value)


def refuse_early(run: Run, steps: Collection[str], name: str, directory: str, maker: str) -> None:
    """Raise UsageError if the step `name` needs a directory that the step `maker` has not created.

    `maker` may be among the `steps` of this run.
    """
    if maker not in steps and run.files.state(directory) is None:
        raise UsageError(
            "step-too-early",
            "the step {name} writes into {directory}, which does not exist yet",
            hint="Run `mstunnel-setup step {maker}` first, or all steps with `mstunnel-setup`.",
            name=name,
            directory=directory,
            maker=maker,
        )


STEP = Step(
    "environment",
    text("Settings of the gateway (env.sh)"),
    _gather,
    _decide,
    _prove,
    refuse=lambda run, steps: refuse_early(run, steps, "environment", paths.CONFIGURATION, "eula"),
)


def given_to_agent(directory: str, *, rootless: bool) -> Sequence[Action]:
    """Return the action that lets the agent write into a directory; a rootless agent already can."""
    return () if rootless else (GiveToAgent(path=directory),)
