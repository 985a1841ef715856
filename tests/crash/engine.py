"""The recording container engine: a daemon of the tests, as Podman is one of the system, and its client.

Its state outlives every killed run. The server's container really listens and shows the leaf it finds in the
mounted configuration.
"""

import contextlib
import copy
import json
import re
import shlex
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.archive import archived_images
from mstunnel_setup.containers.container_spec import ContainerSpec, Progress, Volume, digest_tag
from mstunnel_setup.containers.engine import ContainerState, Health, Image, LogOptions
from mstunnel_setup.io.process import Completed
from mstunnel_setup.readiness.facts.parse import unit_environment
from tests.crash import kernel, vendor_podman
from tests.crash.listener import Listener

SERVER = "mstunnel-server"
DEAD = f"sha256:{'d' * 64}"
"""The digest of an image whose program ends at once."""
_KEPT = ("images", "containers", "units", "services", "tunnel")
_MONITOR = "mstunnel_monitor.service"
_LABEL = re.compile(r'^Label="(.+?)=(.*)"$', re.MULTILINE)
# What occtl(8) says of one session.
_USERS = '[{"ID": 1, "Username": "ada", "Remote IP": "192.0.2.7", "State": "connected"}]'
_VOLUME = re.compile(r"^Volume=(.+?):/etc/mstunnel:", re.MULTILINE)


class Daemon:
    """Holds images, containers and systemd units; answers one JSON request per connection."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.port = port
        # Digests by name.
        self.images: dict[str, str] = {}
        self.containers: dict[str, dict[str, Any]] = {}
        self.units: dict[str, dict[str, Any]] = {}
        # Services that run no container, and whether they run.
        self.services: dict[str, bool] = {}
        # Whether the host has its tunnel device; one that is late comes with the monitor. A container keeps
        # what it was started with.
        self.tunnel = True
        # How long the next pull takes, in seconds, and whether one is waiting.
        self.hold = 0.0
        self.holding = threading.Event()
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._server = socketserver.ThreadingUnixStreamServer(str(path), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """End the daemon."""
        self.reset()
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self.images, self.containers, self.units, self.services = {}, {}, {}, {}
            self.hold, self.tunnel = 0.0, True
            self._serve()

    def keep(self) -> dict[str, Any]:
        """Everything as it is now."""
        with self._lock:
            return copy.deepcopy({name: getattr(self, name) for name in _KEPT})

    def bring_back(self, kept: Mapping[str, Any]) -> None:
        """Everything as it was then."""
        with self._lock:
            vars(self).update(copy.deepcopy(dict(kept)))
            self._serve()

    def state(self) -> dict[str, Any]:
        """Images, containers and units as they are now, without times."""
        with self._lock:
            shown = ("status", "labels", "image", "restart")
            containers = {
                name: {key: item.get(key) for key in shown} for name, item in self.containers.items()
            }
            return {
                "images": sorted(self.images),
                "containers": containers,
                "units": sorted([*self.units, *self.services]),
                "services": dict(self.services),
            }

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        daemon = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline()
                if line:
                    answer = daemon.answer(json.loads(line))
                    # A run that was killed does not wait for the answer.
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        self.wfile.write(json.dumps(answer).encode() + b"\n")

        return Handler

    def answer(self, request: dict[str, Any]) -> Any:
        """Do what a client asks."""
        with self._lock:
            result = getattr(self, f"_do_{request.pop('do')}")(**request)
            self._serve()
            return result

    def _do_image(self, reference: str) -> Any:
        return self.images.get(reference)

    def _do_pull(self, reference: str, digest: str = "") -> Any:
        seconds, self.hold = self.hold, 0.0
        if seconds:
            self.holding.set()
            time.sleep(seconds)
            self.holding.clear()
        return self.images.setdefault(reference, digest or reference.partition("@")[2])

    def _do_remove_image(self, reference: str) -> bool:
        if any(item["image"] == reference for item in self.containers.values()):
            return False
        self.images.pop(reference, None)
        return True

    def _do_create(self, spec: dict[str, Any], labels: dict[str, str]) -> bool:
        if spec["name"] in self.containers:
            raise AssertionError("the container is there already")
        if spec["image"] not in self.images:
            return False
        directory = spec["volumes"][0]["host"]
        self._put(spec["name"], "created", labels, spec["image"], directory)
        return True

    def _put(self, name: str, status: str, labels: dict[str, str], image: str, directory: str) -> None:
        started = datetime.now(UTC).isoformat()
        status = "exited" if image.endswith(DEAD) else status
        self.containers[name] = {
            "status": status,
            "labels": labels,
            "image": image,
            "directory": directory,
            "started": started,
            "tunnel": self.tunnel,
        }

    def _do_set(self, name: str, status: str) -> bool:
        if name not in self.containers:
            return False
        dead = self.containers[name]["image"].endswith(DEAD)
        self.containers[name]["status"] = "exited" if dead else status
        return True

    def _do_remove(self, name: str) -> None:
        self.containers.pop(name, None)

    def _do_inspect(self, name: str) -> Any:
        found = self.containers.get(name)
        return found and {**found, "digest": self.images.get(found["image"], "")}

    def _do_host(self, arguments: list[str], root: str) -> dict[str, Any]:
        if arguments[0] == "podman":
            return vendor_podman.answer(self.containers, arguments[1:])
        code, output = kernel.answer(arguments, Path(root))
        return {"code": code, "output": output}

    def _do_systemctl(self, arguments: list[str], root: str) -> dict[str, Any]:
        verb, unit = arguments[0], arguments[-1]
        code, output = 0, ""
        if verb == "daemon-reload":
            self._reload(Path(root))
        elif verb == "is-active":
            code = 0 if self._active(unit) else 3
        elif verb == "is-failed":
            code = 1
        elif verb == "show":
            output = self._show(arguments[1], unit, Path(root))
        elif verb in ("start", "restart"):
            code = max(map(self._start, arguments[arguments.index("--") + 1 :]))
        elif verb == "stop":
            self.containers.pop(unit.removesuffix(".service"), None)
            self.services.pop(unit, None)
        elif verb != "reset-failed":
            code = 5
        return {"code": code, "output": output}

    def _show(self, what: str, unit: str, root: Path) -> str:
        if what == "--property=Environment":
            return _environment(root, unit)
        if "NeedDaemonReload" in what:
            # It always says that files have changed.
            return ""
        return "loaded" if unit in self.units or unit in self.services else "not-found"

    def _start(self, unit: str) -> int:
        if unit in self.services:
            self.services[unit] = True
            self.tunnel = self.tunnel or unit == _MONITOR
        elif unit in self.units:
            self._put(unit.removesuffix(".service"), "running", **self.units[unit])
        else:
            return 5
        return 0

    def _active(self, unit: str) -> bool:
        running = unit.removesuffix(".service") in self.containers and unit in self.units
        return running or self.services.get(unit, False)

    def _reload(self, root: Path) -> None:
        self.units = {}
        for path in (root / "etc/containers/systemd").glob("*.container"):
            text = path.read_text()
            image = re.search(r"^Image=(.*)$", text, re.MULTILINE)
            volume = _VOLUME.search(text)
            assert image is not None
            assert volume is not None
            unit = {"labels": dict(_LABEL.findall(text)), "image": image[1], "directory": volume[1]}
            self.units[f"{path.stem}.service"] = unit
        written = {
            path.name: path.read_text()
            for path in (root / "etc/systemd/system").glob("*.*")
            if path.is_file()
        }
        ours = {name: text for name, text in written.items() if "ExecStart=/usr/bin/docker" in text}
        self.units |= {name: _container_of(text) for name, text in ours.items()}
        names = {*written, *(name for name, runs in self.services.items() if runs)} - set(ours)
        self.services = {name: self.services.get(name, False) for name in names}

    def _serve(self) -> None:
        """Listen while the server's container runs, and only then."""
        server = self.containers.get(SERVER)
        running = server is not None and server["status"] == "running"
        if self._listener is not None and (not running or self._listener.server != server):
            self._listener.close()
            self._listener = None
        if running and self._listener is None:
            self._listener = Listener(self.port, dict(server or {}))


def _container_of(unit: str) -> dict[str, Any]:
    """What a unit around the engine runs: image, labels, and the directory of the configuration."""
    (line,) = re.findall(r"^ExecStartPre=.* run --detach (.*)$", unit, re.MULTILINE)
    *options, image = shlex.split(line.replace("%%", "%").replace("$$", "$"))
    pairs = [option.partition("=") for option in options]
    labels = dict(value.split("=", 1) for name, _, value in pairs if name == "--label")
    volumes = [value.split(":") for name, _, value in pairs if name == "--volume"]
    directory = next(host for host, container, *_ in volumes if container == "/etc/mstunnel")
    return {"labels": labels, "image": image, "directory": directory}


def _environment(root: Path, unit: str) -> str:
    """The environment that the drop-ins of a unit give it."""
    drop_ins = sorted((root / f"etc/systemd/system/{unit}.d").glob("*.conf"))
    variables = {
        name: value for path in drop_ins for name, value in unit_environment(path.read_text()).items()
    }
    return shlex.join(f"{name}={value}" for name, value in variables.items())


class RecordedEngine:
    """The client: a `ContainerEngine`. `hit` is called before and after everything that changes something."""

    def __init__(self, path: str, hit: Callable[[str], None]) -> None:
        self._path = path
        self._hit = hit

    def version(self) -> str:
        return "5.0.0"

    def image(self, reference: str) -> Image | None:
        for name in (reference, digest_tag(reference)):
            digest = self._ask("image", reference=name)
            if digest:
                return Image(name, digest, digest)
        return None

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        digest = self._change("pull", reference=reference)
        return Image(reference, digest, digest)

    def load(self, archive: str, reference: str, progress: Any) -> Image:
        digest = reference.rpartition("@")[2]
        assert digest in [image.digest for image in archived_images(archive)]
        self._change("pull", reference=digest_tag(reference), digest=digest)
        return Image(digest_tag(reference), digest, digest)

    def remove_image(self, reference: str) -> bool:
        return bool(self._change("remove_image", reference=reference))

    def repair_images(self) -> None:
        self._hit("engine repair_images")

    def create(self, spec: ContainerSpec) -> None:
        if not self._change("create", spec=asdict(spec), labels=dict(spec.all_labels)):
            raise EngineError("container-failed", f"there is no image {spec.image}", "Fetch it.")

    def start(self, name: str) -> None:
        self._set(name, "running")

    def stop(self, name: str) -> None:
        self._set(name, "exited")

    def restart(self, name: str) -> None:
        self._set(name, "running")

    def remove(self, name: str) -> None:
        self._change("remove", name=name)

    def inspect(self, name: str) -> ContainerState | None:
        found = self._ask("inspect", name=name)
        if found is None:
            return None
        running = found["status"] == "running"
        started = datetime.fromisoformat(found["started"])
        health: Health | None = "healthy" if running else None
        return ContainerState(found["status"], health, found["labels"], found["digest"], started)

    def probe(self, name: str) -> bool:
        return True

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        """Commands and queries to the gateway: its port is closed or opened; a device is always connected."""
        if arguments[0] == "nft":
            self._hit(f"engine nft {' '.join(arguments[1:3])}")
        if arguments[0] == "sh" and not self._ask("inspect", name=name)["tunnel"]:
            return Completed(2, "", "cannot open /dev/net/tun: No such device")
        return Completed(0, _USERS if "occtl" in arguments[0] else "", "")

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Completed:
        self._hit(f"engine run_once {image}")
        missing = [volume.host for volume in volumes if not Path(volume.host).exists()]
        self._hit(f"engine run_once {image} answered")
        return Completed(1 if missing else 0, "", f"missing: {missing}" if missing else "")

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        return ("true",)

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        return ("true",)

    def systemctl(self, arguments: Sequence[str], root: str) -> dict[str, Any]:
        """What `systemctl ARGUMENTS` does."""
        changes = arguments[0] in ("daemon-reload", "start", "stop", "restart")
        call = self._change if changes else self._ask
        return dict(call("systemctl", arguments=list(arguments), root=root))

    def host(self, arguments: Sequence[str], root: str) -> dict[str, Any]:
        """What a program does that changes kernel, SELinux or containers of others."""
        call = self._change if kernel.changes(arguments) else self._ask
        return dict(call("host", arguments=list(arguments), root=root))

    def _set(self, name: str, status: str) -> None:
        if not self._change("set", name=name, status=status):
            raise EngineError("container-failed", f"there is no container {name}")

    def _change(self, do: str, **arguments: Any) -> Any:
        self._hit(f"engine {do}")
        answer = self._ask(do, **arguments)
        self._hit(f"engine {do} answered")
        return answer

    def _ask(self, do: str, **arguments: Any) -> Any:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(self._path)
            link.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with link.makefile("rb") as stream:
                return json.loads(stream.readline())
