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
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.service_account import GiveToAgent
from mstunnel_setup.actions.store_answer import StoreAnswer, remembered
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
from mstunnel_setup.base.text import joined, text, with_hint
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.gateway import env_file
from mstunnel_setup.gateway.env_file import EnvironmentFileError
from mstunnel_setup.install.run import Run
from mstunnel_setup.readiness.facts.section import text_of
from mstunnel_setup.transaction.action import Action
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
"""Where the certificates of `tenant.ca_file` are kept."""
_SHELL_PROXIES = "/etc/profile.d/http_proxy.sh"
DIRECTORIES = ((paths.CERTIFICATES, 0o755), (paths.PRIVATE, paths.PRIVATE_MODE), (paths.CA_TRUST, 0o755))


@dataclass(frozen=True)
class Environment:
    """The text of `env.sh`, the settings in it that are ours, and the extra roots (file and SHA-256, or PEM).

    `rootless` says that the agent is the account, and needs no directory given to it.
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
    # From a file that does not exist no line was removed.
    before = _before(run) if present is not None else {}
    wanted = _wanted(run)
    # A proxy that an administrator has written into `env.sh`, in either case, is the one for both cases.
    known = env_file.parse(present or "", paths.ENVIRONMENT)
    edited = proxies_of({name: value for name, value in known.items() if before.get(name) != value})
    content = env_file.merge(present, before, wanted | in_both_cases(edited), paths.ENVIRONMENT)
    # The password of a proxy, which should have none, is kept out of plans and messages.
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
        # All users may read the copy below ca-trust.
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
    """What `env.sh` holds once its step is done."""
    if run.environment is not None:
        return run.environment
    return run.files.read(paths.ENVIRONMENT) or b""


def settings(run: Run) -> Mapping[str, str]:
    """Settings in `env.sh` after its step. Raises EnvironmentFileError if it cannot be parsed."""
    return env_file.parse(env_file.decode(content(run), paths.ENVIRONMENT), paths.ENVIRONMENT)


def _before(run: Run) -> Mapping[str, str]:
    """Settings chosen by an earlier run; the other lines of the file are the administrator's."""
    return {name: str(value) for name, value in as_object(remembered(run.receipt, WANTED)).items()}


def _wanted(run: Run) -> dict[str, str]:
    """Proxies of the shell, of /etc/profile.d or of an earlier run, in both cases; then what the answers say.

    A later run comes from another shell (sudo drops the proxies); that does not mean the proxy was removed.
    """
    wanted = dict(run.answers.environment)
    if run.answers.client_to_client:
        wanted["CLIENT_TO_CLIENT"] = "true"
    # Read one after the other: merged, an old name in one case would hide a new one in the other.
    sources = (wanted, os.environ, _shell_proxies(run), _before(run))
    found = ChainMap(*map(proxies_of, sources))
    return wanted | in_both_cases({name: found[name] for name in PROXIES if name in found})


def _shell_proxies(run: Run) -> dict[str, str]:
    """The plain assignments in the file for all shells; none where an earlier run wrote it."""
    # That of an administrator may be root's alone; the account of a rootless gateway continues without it.
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
    """The proxy variables (lower case) in `env.sh` once its step is done.

    In root's part of a rootless installation those that an administrator gives it: `env.sh` is the account's,
    and what this part sets is for all users, root too.
    """
    if run.host.scope is Scope.HOST and not paths.ROOTLESS:
        return proxies_of(_wanted(run))
    return proxies_of(settings(run))


def service_ports(run: Run) -> tuple[int, ...]:
    """The TCP ports of a lab tenant and of the proxies: both may be services of this host."""
    tenant = run.answers.tenant
    addresses = [proxy_place(url) for url in (tenant.authority, tenant.graph) if url]
    # Root's part without root comes before `env.sh` is written.
    for found in (proxies(run), proxies_of(_wanted(run))):
        addresses += [proxy_place(url) for name, url in found.items() if name != "no_proxy"]
    return tuple(sorted({address[1] for address in addresses if address is not None}))


def adopt_proxies(run: Run) -> None:
    """Have this process, and what it starts, use the proxies of `env.sh` where the shell names none."""
    for name, value in in_both_cases(proxies(run)).items():
        os.environ.setdefault(name, value)


def _decide(environment: Environment) -> Sequence[Action]:
    actions: list[Action] = [MakeDirectory(path=path, mode=mode) for path, mode in DIRECTORIES]
    actions.append(MakeStateDirectory(path=paths.AGENT_DIRECTORY))
    actions += given_to_agent(paths.AGENT_DIRECTORY, rootless=environment.rootless)
    # Remembered after the file is written: a run cut off in between must still know the older lines as ours.
    actions.append(MergeFile(path=paths.ENVIRONMENT, text=environment.text, mode=0o640))
    actions.append(StoreAnswer(name=WANTED, value={**environment.wanted}))
    if environment.ca_file is not None:
        actions.append(CopyFile(source=environment.ca_file, digest=environment.ca_digest, path=TENANT_ROOTS))
    elif environment.ca_pem:
        actions.append(WriteFile(path=TENANT_ROOTS, text=environment.ca_pem))
    return actions


def _prove(run: Run, _environment: Environment) -> None:
    """A person gets the time to edit `env.sh` before anything is built on it; once is enough."""
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
            # Its message names the file.
            run.console.say(with_hint(error.message, error.hint))
        except UsageError as error:
            message, hint = error.message, error.hint
            run.console.say(
                "{environment}: {message}. {hint}", environment=paths.ENVIRONMENT, message=message, hint=hint
            )
        else:
            return


def described(found: Mapping[str, str]) -> Iterator[str]:
    """The lines that name `env.sh`, each variable with what it is for, and what it is set to in `found`."""
    yield text("The settings of the gateway are in {environment}:", environment=paths.ENVIRONMENT)
    others = {name: "" for name in found if name not in _MEANINGS and name.lower() not in PROXIES}
    shown = {**found, **proxies_of(found)}
    for name, meaning in {**_MEANINGS, **others}.items():
        value = shown.get(name) or text("not set")
        yield text("  {name:17} {meaning:42} {set}", name=name, meaning=meaning, set=value)


def refuse_early(run: Run, steps: Collection[str], name: str, directory: str, maker: str) -> None:
    """Raise UsageError where the step `name` needs a directory that the step `maker` has not made.

    That one may be among the `steps` of this run.
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
    """The action that lets the agent write into a directory; none without root, where it is the account."""
    return () if rootless else (GiveToAgent(path=directory),)
