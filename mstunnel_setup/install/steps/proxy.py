"""Step `proxy`: write the proxy of `env.sh` into every other file that needs it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from mstunnel_setup.actions.files import MakeDirectory, WriteFile, directories
from mstunnel_setup.actions.kernel import LabelPort
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.units import ConfigureUnit
from mstunnel_setup.answers.variables import in_both_cases, without_login
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.gateway import env_file
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment
from mstunnel_setup.readiness.facts.host import ProxyFacts
from mstunnel_setup.readiness.facts.parse import assignments, proxy_places, unit_environment
from mstunnel_setup.readiness.facts.programs import ProgramReader, SecurityFacts
from mstunnel_setup.readiness.facts.section import EngineName, text_of, texts_below
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

PROFILE = "/etc/profile.d/http_proxy.sh"
ENVIRONMENT = "/etc/environment"
MONITOR = "mstunnel_monitor.service"
_OTHERS = 0o077
_READ_BY_ALL = 0o004


@dataclass(frozen=True)
class Proxy:
    """The proxy variables (lower case) that the gateway uses, and the present files that set a proxy.

    `texts` are these files by path, `modes` the permissions of the existing ones; `unlabelled` are the ports
    that SELinux does not allow for proxies. In a rootless installation root's part writes the files of the
    system, and the account's part the units.
    """

    wanted: Mapping[str, str]
    engine: EngineName
    texts: Mapping[str, str] = field(default_factory=dict)
    unlabelled: tuple[int, ...] = ()
    system: bool = True
    units: bool = True
    modes: Mapping[str, int] = field(default_factory=dict)

    @property
    def secret(self) -> bool:
        """True if a proxy contains a user name or password."""
        return any(place.credentials for place in proxy_places("", self.wanted))

    @property
    def shells(self) -> str:
        """Path of the profile that all shells read."""
        return ENVIRONMENT if self.engine == "docker" else PROFILE

    @property
    def exposed(self) -> bool:
        """True if a password would be written to a shell profile that other users can read."""
        return self.secret and bool(self.modes.get(self.shells, 0) & _OTHERS)


def _gather(run: Run) -> Proxy:
    environment.adopt_proxies(run)
    wanted, engine = environment.proxies(run), run.engine_name
    if not wanted:
        return Proxy(wanted, engine)
    files = run.files
    texts = {path: text_of(files, path) for path in (PROFILE, ENVIRONMENT)}
    for unit in _units(engine):
        texts |= texts_below(files, (f"{paths.UNITS}/{unit}.d",), ".conf")
    modes = {path: state.mode for path in texts if (state := files.state(path)) is not None}
    return Proxy(wanted, engine, texts, modes=modes)


def _gather_all(run: Run) -> Proxy:
    proxy = _gather(run)
    if proxy.exposed:
        run.console.say(
            "The proxy has a password, and all users can read {shells}; it is not written there.",
            shells=proxy.shells,
        )
    return replace(proxy, unlabelled=_unlabelled(run, proxy.wanted))


def _gather_system(run: Run) -> Proxy:
    """Return the system's proxy from the variables that an administrator gives to root's part.

    The account's settings are ignored, since this proxy applies to all users. All users can read the journal
    of this part, so it gets no password and no text of a file that they cannot read.
    """
    proxy = _gather(run)
    if proxy.secret:
        run.console.say("The proxy has a password; only the files of the account contain it.")
    public = bool(proxy.modes.get(proxy.shells, _READ_BY_ALL) & _READ_BY_ALL)
    unlabelled = _unlabelled(run, proxy.wanted)
    return replace(proxy, unlabelled=unlabelled, system=public and not proxy.secret, units=False)


def _units(engine: EngineName) -> tuple[str, ...]:
    """Return the units that download images: the engine's, and the host's monitor."""
    return (f"{engine}.service", MONITOR)


def _unlabelled(run: Run, wanted: Mapping[str, str]) -> tuple[int, ...]:
    """Return the proxy ports to label for SELinux; a person is asked first."""
    host = run.host
    if not (wanted and host.files.live) or text_of(host.files, "/sys/fs/selinux/enforce").strip() != "1":
        return ()
    reader = ProgramReader(host.files, host.processes, run.readiness_settings())
    security = SecurityFacts(selinux="enforcing", proxy_ports=reader.proxy_ports())
    found = security.unlabelled(ProxyFacts(places=proxy_places("env.sh", wanted)).ports)
    question = text(
        "SELinux does not allow a proxy on port {found}. Allow it (type http_port_t)?",
        found=", ".join(map(str, found)),
    )
    if found and run.console.interactive and not run.console.confirm(question):
        return ()
    return found


def _decide(proxy: Proxy) -> Sequence[Action]:
    if not proxy.wanted:
        return ()
    both = in_both_cases(proxy.wanted)
    actions: list[Action] = [LabelPort(port=port) for port in proxy.unlabelled]
    if proxy.system and not proxy.exposed:
        path = proxy.shells
        present = proxy.texts.get(path, "")
        text = shell_text(present, both, export=path == PROFILE)
        if text != present:
            # An existing file keeps its mode; only root may read a new one that contains a password.
            mode = proxy.modes.get(path, 0o600 if proxy.secret else 0o644)
            actions += [*directories(path.rpartition("/")[0]), WriteFile(path=path, text=text, mode=mode)]
    wanted = _units(proxy.engine) if proxy.units else ()
    drop_ins = [action for unit in wanted for action in _drop_in(unit, proxy, both)]
    # Without systemd, or for an account without units, the directory of the units may be missing.
    return [*actions, *(directories(paths.UNITS) if drop_ins else ()), *drop_ins]


def _decide_system(proxy: Proxy) -> Sequence[Action]:
    """Return the actions for the system's files.

    The variables are stored, so that a later run recognizes its lines in `env.sh`; the account stores those
    with a password.
    """
    remembered = StoreAnswer(name=environment.WANTED, value={**in_both_cases(proxy.wanted)})
    return (*_decide(proxy), *(() if proxy.secret or not proxy.wanted else (remembered,)))


def _obsolete(run: Run) -> list[str]:
    """Return the keys of objects for a proxy that `env.sh` no longer names; empty until that file exists."""
    if run.files.state(paths.ENVIRONMENT) is None or environment.proxies(run):
        return []
    names = {step.name for step in STEPS}
    return [entry.key for entry in run.receipt.entries.values() if entry.step in names]


def _drop_in(unit: str, proxy: Proxy, both: Mapping[str, str]) -> Sequence[Action]:
    """Return the actions for the drop-in, unless other drop-ins already set the same variables."""
    directory = f"{paths.UNITS}/{unit}.d"
    present = {
        path: text
        for path, text in proxy.texts.items()
        if PurePosixPath(path).parent == PurePosixPath(directory)
    }
    seen: dict[str, str] = {}
    for name in sorted(present):
        seen |= unit_environment(present[name])
    path = f"{directory}/http-proxy.conf"
    text = drop_in_text(present.get(path, ""), both)
    # A killed run may have written this text before systemd reloaded the unit, so the action is kept then.
    if seen.items() >= both.items() and present.get(path) != text:
        return ()
    mode = proxy.modes.get(path, 0o644)
    if proxy.secret:
        mode &= ~_OTHERS
    return (MakeDirectory(path=directory), ConfigureUnit(unit=unit, path=path, text=text, mode=mode))


def shell_text(present: str, wanted: Mapping[str, str], *, export: bool) -> str:
    """Return the shell file with these assignments appended, unless it already makes them.

    Raises EnvironmentFileError for a value that no shell file can hold.
    """
    known = assignments(present)
    if all(known.get(name) == value for name, value in wanted.items()):
        return present
    names = "|".join(map(re.escape, wanted))
    ours = re.compile(rf"\s*(export\s+)?({names})=.*")
    kept = [line for line in present.splitlines() if not ours.fullmatch(line)]
    added = rendering.render("proxy/http_proxy.sh", settings=env_file.checked(wanted), export=export)
    return "".join(f"{line}\n" for line in kept) + added


def drop_in_text(present: str, wanted: Mapping[str, str]) -> str:
    """Return the drop-in with these variables appended; for systemd the last line of a variable counts."""
    names = set(wanted)

    def only_ours(line: str) -> bool:
        found = unit_environment(line)
        return bool(found) and set(found) <= names

    kept = [line for line in present.splitlines() if not only_ours(line)]
    sections = [line.strip() for line in kept if line.strip().startswith("[")]
    begun = sections[-1:] == ["[Service]"]
    added = rendering.render("proxy/http-proxy.conf", settings=wanted, begun=begun)
    return "".join(f"{line}\n" for line in kept) + added


def _prove(run: Run, proxy: Proxy) -> None:
    """Check with systemd which proxies the units get, since another drop-in may override this one."""
    systemd = run.host.systemd
    for unit in _units(proxy.engine) if proxy.wanted and proxy.units else ():
        if not (systemd.running() and systemd.known(unit)):
            continue
        words = shlex.split(systemd.environment(unit))
        seen = dict(word.split("=", 1) for word in words if "=" in word)
        for name, value in proxy.wanted.items():
            if seen.get(name) != value:
                raise StepError(
                    "proxy-overruled",
                    "{unit} has {variable}={actual}, expected {expected}",
                    hint=(
                        "Find the other drop-in that sets it, perhaps with another user or password: "
                        "`systemctl cat {unit}`."
                    ),
                    unit=unit,
                    variable=name,
                    actual=without_login(seen.get(name, ""))[0],
                    expected=without_login(value)[0],
                )


STEP = Step("proxy", text("Proxy in all places"), _gather_all, _decide, _prove, obsolete=_obsolete)
SYSTEM = Step("proxy", text("Proxy of the system"), _gather_system, _decide_system, obsolete=_obsolete)
UNITS = Step(
    "proxy-units",
    text("Proxy of the account's services"),
    lambda run: replace(_gather(run), system=False),
    _decide,
    _prove,
    obsolete=_obsolete,
)
STEPS: tuple[Step[Run, Proxy], ...] = (STEP, SYSTEM, UNITS)
