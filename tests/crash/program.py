"""The real programs with a recording container engine: a server that forks one run for every request.

`python -m tests.crash.program` reads one JSON request a line and answers how the run ended. Everything is
imported in advance, so a run costs no more than its work.
"""

import gettext
import io
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msal  # noqa: F401 (imported here, not in every run)

import mstunnel_setup.adopt.switch
import mstunnel_setup.cli.framework.render as render_module
import mstunnel_setup.install.install
import mstunnel_setup.install.installed as installed_module
import mstunnel_setup.install.preflight
import mstunnel_setup.install.session as run_module
import mstunnel_setup.install.step_status
import mstunnel_setup.install.uninstall
import mstunnel_setup.operations.backup
import mstunnel_setup.operations.certificate.import_certificate
import mstunnel_setup.operations.monitor.loop
from mstunnel_setup.actions.host import Host, build_host
from mstunnel_setup.cli import monitor, mst_cli, setup
from mstunnel_setup.cli.framework import translation
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.cli.framework.translation import use
from mstunnel_setup.containers import choice
from mstunnel_setup.containers.choice import EngineChoice, RunMethod
from mstunnel_setup.containers.gateway_host import GatewayHost, gateway_host
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import verify
from mstunnel_setup.install.steps.verify import SERVER_NOT_LISTED
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.io.systemd import Systemd
from tests.crash import faults, kernel, sabotage, vendor_podman, warm
from tests.crash.engine import RecordedEngine
from tests.crash.points import Points

APPS = {"mstunnel-setup": setup.app, "mst-cli": mst_cli.app, "mstunnel_monitor": monitor.app}


class QuickClock(Clock):
    """A clock on which waiting takes no time, and that may be wrong.

    The shortest wait is five seconds: a loop that asks twice a second for ten minutes does the same thing a
    thousand times, with a process each time.
    """

    waited = 0.0
    wrong = timedelta()

    def now(self) -> datetime:
        return super().now() + self.wrong

    def monotonic(self) -> float:
        return super().monotonic() + self.waited

    def sleep(self, seconds: float) -> None:
        type(self).waited += max(seconds, 5.0)


class RecordedProcesses(Processes):
    """Runs programs; what would change this machine is answered by the tests' daemon."""

    def __init__(self, engine: RecordedEngine, root: str) -> None:
        self._engine = engine
        self._root = root

    def find(self, program: str) -> str | None:
        """As the original; what is answered here is there, and this machine's Docker is not."""
        if program == "docker":
            return None
        return f"/usr/sbin/{program}" if program in ("podman", *kernel.PROGRAMS) else super().find(program)

    def run(self, arguments: Sequence[str], **options: Any) -> Completed:
        """As the original."""
        recorded = arguments[0] == "podman" and arguments[1] in vendor_podman.VERBS
        if arguments[0] not in ("systemctl", *kernel.PROGRAMS) and not recorded:
            return super().run(arguments, **options)
        check = bool(options.get("check", True))
        return faults.process(arguments, check=check, answer=lambda: self._answer(arguments))

    def _answer(self, arguments: Sequence[str]) -> Completed:
        if arguments[0] == "systemctl":
            answer = self._engine.systemctl(arguments[1:], self._root)
        else:
            answer = self._engine.host(arguments, self._root)
        return Completed(answer["code"], answer["output"], answer.get("error", ""))


def main() -> None:
    """Serve requests until the input ends."""
    warm.up(APPS.values())
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(request)
        _pid, status = os.waitpid(child, 0)
        warm.adopt(request["out"])
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any]) -> None:
    """One run in the forked process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(request.get("umask", 0o022))
    recorded = os.open(f"{request['out']}.points", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(f"{request['out']}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    if "typed" in request:
        sys.stdin = io.StringIO(request["typed"])
    use(request.get("language", "en"))
    if request.get("catalogue"):
        translation._catalogue = gettext.GNUTranslations(io.BytesIO(Path(request["catalogue"]).read_bytes()))
    warm.leave_at(request["out"])
    points = Points(request.get("kill_at"), request["engine"])
    prepare(request, points)
    if request.get("fault"):
        faults.install(request["fault"])
    else:
        points.install()
    code = run_app(APPS[request["program"]], request["program"], request["arguments"])
    os.write(recorded, "\n".join(faults.seen if request.get("fault") else points.seen).encode())
    Path(f"{request['out']}.modules").write_text("\n".join(sys.modules))
    os._exit(code)


AnyHost = TypeVar("AnyHost", bound=GatewayHost)


def prepare(request: dict[str, Any], points: Points) -> None:
    """Put the recording engine into the ports, and what the request wants broken into the actions."""

    @contextmanager
    def recorded_ports(*arguments: Any, **options: Any) -> Iterator[Host]:
        with build_host(*arguments, **options) as ports:
            yield _recorded(ports, request, points)

    @contextmanager
    def recorded_gateway(*arguments: Any, **options: Any) -> Iterator[GatewayHost]:
        with gateway_host(*arguments, **options) as ports:
            yield _recorded(ports, request, points)

    run_module.build_host = recorded_ports  # type: ignore[attr-defined]
    installed_module.gateway_host = recorded_gateway  # type: ignore[attr-defined]
    Host.system_roots = property(lambda _: warm.system_roots())  # type: ignore[method-assign,assignment]
    _pretend(request)
    QuickClock.wrong = timedelta(days=request.get("days_wrong", 0))
    if request.get("quick", True):
        render_module.Clock = QuickClock  # type: ignore[attr-defined]
    if request.get("host_name"):
        socket.gethostname = lambda: str(request["host_name"])
    if request.get("sabotage"):
        sabotage.BROKEN[request["sabotage"]]()


def _recorded(ports: AnyHost, request: dict[str, Any], points: Points) -> AnyHost:
    """The ports with another engine, and another systemd where one is asked for."""

    @cache
    def opened() -> Any:
        chosen = EngineChoice(request.get("engine_name", "podman"), "5.0.0", "the engine of the tests")
        return RecordedEngine(request["engine"], points.hit), chosen

    ports = replace(ports, engine_opener=opened)
    if not request.get("manner"):
        return ports
    processes = RecordedProcesses(opened()[0], request["root"])
    absent = f"{request['root']}/run/systemd/system"
    marker = absent if request["manner"] == "engine" else request["root"]
    return replace(ports, processes=processes, systemd=Systemd(processes, marker=marker))


def _is_listed(run: Run, expected: verify.ExpectedGateway) -> None:
    """No agent runs here, so its record is all that can be proved."""
    if run.host.graph.server(expected.site_id, expected.server_id) is None:
        raise SERVER_NOT_LISTED()


def _pretend(request: dict[str, Any]) -> None:
    """Let the program take this machine for another one."""
    verify._has_checked_in = _is_listed
    if request.get("manner"):
        # Whatever control groups this machine has.
        choice.choose_run_method = lambda *_known, **_facts: RunMethod(request["manner"])
    if request.get("one_file"):
        os.environ["MSTUNNEL_ONE_FILE"] = request["one_file"]
    if request.get("live"):
        # The files below the root are those of the host that runs; what else it is like is not judged.
        Files.live = property(lambda files: str(files.root) == request["root"])  # type: ignore[method-assign,assignment]
        mstunnel_setup.install.preflight.refuse_unready = lambda *_arguments: None
        for module in (mstunnel_setup.install.preflight, mstunnel_setup.operations.backup):
            module.refuse_unsuited = lambda *_arguments: None  # type: ignore[attr-defined]


def alone(request: dict[str, Any]) -> int:
    """One run in this very process, as the real program's entry point does it: for signals and strace."""
    prepare(request, Points(ignored=request["engine"]))
    sys.argv = [request["program"], *request["arguments"]]
    return {"mstunnel-setup": setup.main, "mst-cli": mst_cli.main}[request["program"]]()


if __name__ == "__main__":
    sys.exit(alone(json.loads(sys.argv[1]))) if len(sys.argv) > 1 else main()
