"""A gateway installed on a testbed's server, from the answer file to the connected client."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self, Unpack

from ruamel.yaml import YAML

from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from tests.testbed import vpn
from tests.testbed.certificates import Authority
from tests.testbed.kinds import PODMAN, Kind
from tests.testbed.machine import Machine
from tests.testbed.process import Completed, TestbedError
from tests.testbed.registry import releases
from tests.testbed.testbed import DOMAIN, INTRANET_PAGE, Testbed
from tests.testbed.waiting import eventually

ADMINISTRATOR = f"admin@{DOMAIN}"
DEVICE_USER = f"device@{DOMAIN}"
PUBLIC_ADDRESS = f"vpn.{DOMAIN}"
URL = f"https://{PUBLIC_ADDRESS}/"
ANSWERS = "/root/answers.yaml"
LAB = "/var/lib/mstunnel-lab"
TOKEN = "/root/token"
CONTAINERS = ("mstunnel-server", "mstunnel-agent")
_CODE = re.compile(r" {4}([A-Z0-9-]{6,12})")


class Installation:
    """What an administrator does, on real parts: prepare, install, look, remove."""

    seconds = 300.0
    """How long a program may run on the server."""

    setup_program = "mstunnel-setup"

    @classmethod
    @contextmanager
    def booted(cls, kind: Kind = PODMAN) -> Iterator[Self]:
        """A host of this kind with everything that an installation needs, and nothing installed."""
        with Testbed(kind=kind) as testbed:
            made = cls(testbed, testbed.start_registry().references)
            made.prepare()
            yield made

    def __init__(self, testbed: Testbed, references: Mapping[str, str]) -> None:
        self.testbed = testbed
        self.server = testbed.server
        self.references = references
        self.authority = Authority()
        self._certificate = self.authority.issue(PUBLIC_ADDRESS)
        self.lab: dict[str, Any] = {}
        self.failed_before: set[str] = set()

    def prepare(self) -> None:
        """Start the lab tenant; put certificate, trusted root and answer file on the server."""
        self.start_lab()
        self.server.write(self.path("lab-ca.pem"), self.testbed.lab.read(self.lab["ca_file"]))
        self.restore()
        self.failed_before = self.failed_units()

    def restore(self) -> None:
        """Put answer file and certificate on the server, always the same ones."""
        self.place_certificate(*self._certificate)
        self.write_answers({})

    def place_certificate(self, chain: bytes, key: bytes) -> None:
        """Put chain and key where the answer file says they are."""
        self.server.write(self.path("chain.pem"), chain, 0o644)
        # A service account that is still to be made has to read it.
        self.server.write(self.path("key.pem"), key, 0o644 if self.testbed.kind.account else 0o600)

    def path(self, name: str) -> str:
        """Where an administrator puts the file `name`, so that the user of the gateway can read it."""
        return f"{self.testbed.kind.directory}/{name}"

    def answers(self) -> dict[str, Any]:
        """A complete answer file as data."""
        return {
            **self.testbed.kind.answers,
            "version": 1,
            "eula": "accept",
            "server_name": "gw1",
            "tenant": {
                "cloud": "custom",
                "authority": self.lab["authority"],
                "graph": self.lab["graph"],
                "ca_file": self.path("lab-ca.pem"),
            },
            "sign_in": {"method": "device-code", "client_id": self.lab["client_id"]},
            "site": "Testbed",
            "certificate": {"chain": self.path("chain.pem"), "key": self.path("key.pem")},
            "images": {"server": self.references["gateway"], "agent": self.references["agent"]},
        }

    def write_answers(self, changes: Mapping[str, Any], path: str = "") -> None:
        """Write the answer file with some sections replaced (None leaves one out)."""
        merged = {**self.answers(), **changes}
        with (self.testbed.state / "answers.yaml").open("w") as stream:
            YAML().dump({name: value for name, value in merged.items() if value is not None}, stream)
        self.server.write(
            path or self.path("answers.yaml"), (self.testbed.state / "answers.yaml").read_text()
        )

    def setup(self, *arguments: str, check: bool = True) -> Completed:
        """Run `mstunnel-setup` with the answer file, unattended, JSON on stdout."""
        fixed = ["--answers", self.path("answers.yaml"), "--unattended", "--output", "json"]
        return self.program(self.setup_program, *arguments, *fixed, check=check)

    def setup_killed_at(self, step: str) -> Completed:
        """Run the installation and kill it inside `step`; the exit code is 137 when that happened."""
        # /run is no part of what is compared with the server before an installation.
        self.server.write("/run/kill_at.py", Path(__file__).with_name("kill_at.py").read_text())
        command = ("mstunnel-setup", "--answers", self.path("answers.yaml"), "--unattended")
        return self.program("python3", "/run/kill_at.py", step, *command, check=False)

    def started(self) -> str:
        """When both containers were started."""
        command = self.testbed.kind.engine_command("inspect", "--format={{.State.StartedAt}}")
        return self.server.run([*command, *CONTAINERS]).stdout

    def reboot(self) -> None:
        """Stop the server as a whole and boot it again; its init system starts what is enabled."""
        self.testbed.restart_server()
        if self.testbed.kind.at_boot:
            self.server.shell(self.testbed.kind.at_boot, timeout=120)

    def processes(self) -> tuple[str, ...]:
        """Ids of the first processes of both containers; less where there is none."""
        command = self.testbed.kind.engine_command("inspect", "--format={{.State.Pid}}")
        return tuple(self.server.run([*command, *CONTAINERS], check=False).stdout.split())

    def kill_containers(self) -> None:
        """Kill both containers from outside; return once others run. Raises TestbedError after a minute."""
        killed = self.processes()
        self.server.run(["kill", "-KILL", *killed], check=False)

        def are_back() -> bool:
            found = self.processes()
            return len(found) == len(CONTAINERS) and not {"0", *killed} & set(found)

        if not eventually(are_back, 60):
            raise TestbedError(f"the containers do not come back: {self.processes()}")

    def await_verdict(self) -> None:
        """Wait until the monitor has judged what the agent handed over; both write no more files then."""
        verdict = "/etc/mstunnel/messages/out/server-configuration.json"
        given = f'grep -qE \'"state": ?"(accepted|refused)"\' {verdict}'
        if not eventually(lambda: self.server.shell(given, check=False).code == 0, 60):
            raise TestbedError(f"the monitor gave no verdict in {verdict}")

    def wait_until_healthy(self) -> None:
        """Return once both containers are healthy. Raises TestbedError after a minute."""
        status = "mst-cli server status && mst-cli agent status"
        if not eventually(lambda: self.server.shell(status, check=False).code == 0, 60):
            raise TestbedError(self.server.run(["mst-cli", "status"], check=False).describe())

    def program(self, *command: str, check: bool = True, user: str = ADMINISTRATOR) -> Completed:
        """Run a program on the server; when it shows a device code, `user` signs in with it."""
        started = time.monotonic()
        process = subprocess.Popen(
            self.server.argv(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        output = _Reader(process.stdout)
        errors = _Reader(process.stderr, lambda line: self.approve(line, user))
        try:
            process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        result = Completed(
            command, process.returncode, output.text(), errors.text(), time.monotonic() - started
        )
        return result.checked() if check else result

    def cli(self, *arguments: str, check: bool = True) -> Completed:
        """Run `mst-cli` on the server, for its JSON result."""
        return self.program("mst-cli", *arguments, "--output", "json", check=check)

    def sign_in(
        self, url: str = URL, device: Machine | None = None, **identity: Unpack[vpn.Identity]
    ) -> Completed:
        """Have the VPN client of a device connect, by default of `client`; it may be refused."""
        return vpn.connect(device or self.testbed.client, url, self.authority.pem, **identity)

    def connect(self, url: str = URL, device: Machine | None = None) -> Completed:
        """Connect a VPN client as the device user, with a token of the lab. Raises TestbedError."""
        return self.sign_in(url, device, token=self.token()).checked()

    def keep_connected(self, url: str = URL) -> None:
        """Have the VPN client connect, and connect again whenever it is cut off."""
        vpn.keep_connected(self.testbed.client, url, self.authority.pem, token=self.token())

    def await_page(self) -> None:
        """Return as soon as the client gets the internal page. Raises TestbedError with what it says."""
        eventually(lambda: self.fetch_internal_page(check=False).code == 0, 90)
        self.check_page()

    def check_page(self) -> None:
        """Have the client get the internal page now. Raises TestbedError with what it says."""
        found = self.fetch_internal_page(check=False)
        if found.stdout != INTRANET_PAGE:
            raise TestbedError(f"no page: {found.describe()}\n{self.testbed.client.read(vpn.LOG)}")

    def visit(self) -> None:
        """Have a device connect, get the internal page and disconnect. Raises TestbedError."""
        self.connect()
        self.check_page()
        self.disconnect()

    def token(self) -> str:
        """An access token of the device user for the gateway."""
        lab = self.testbed.lab
        lab.run(["mstunnel-lab", "token", "--user", DEVICE_USER, "--out", TOKEN, "--dir", LAB])
        return lab.read(TOKEN)

    def token_user(self) -> str:
        """Object id of the user in the last token."""
        payload = self.testbed.lab.read(TOKEN).split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["oid"])

    def client_address(self) -> str:
        """Address of the client inside the tunnel. Raises TestbedError when there is none."""
        found = vpn.address(self.testbed.client)
        if not found:
            raise TestbedError(self.testbed.client.read(vpn.LOG))
        return found

    def fetch_internal_page(self, *, check: bool = True) -> Completed:
        """Fetch the internal page as the client sees the network now."""
        command = ["curl", "--silent", "--show-error", "--max-time", "10", self.lab["internal_url"]]
        return self.testbed.client.run(command, check=check)

    def change_configuration(self, changes: Mapping[str, Any]) -> None:
        """Change the server configuration in the tenant, as an administrator with Graph would."""
        self._change("microsoftTunnelConfigurations", changes)

    def digest(self, image: str) -> str:
        """The digest of an image of the registry."""
        return self.references[image].rpartition("@")[2]

    def offer(self, server: str, agent: str = "agent", label: str = "2.0") -> None:
        """A release with these images of the registry is all that the server's catalogue has."""
        self.server.write(CATALOGUE, releases(self.references, label, server, agent))

    def change_site(self, changes: Mapping[str, Any]) -> None:
        """Change the site in the tenant."""
        self._change("microsoftTunnelSites", changes)

    def _change(self, collection: str, changes: Mapping[str, Any]) -> None:
        self.on_the_lab("graph.py", LAB, ADMINISTRATOR, collection, json.dumps(changes))

    def on_the_lab(self, script: str, *arguments: str) -> str:
        """What a script of this directory prints on the lab's machine."""
        command = ["/opt/mstunnel-setup/bin/python", "-", *arguments]
        return self.testbed.lab.run(command, stdin=Path(__file__).with_name(script).read_text()).stdout

    def disconnect(self) -> None:
        """End the VPN client, if it runs."""
        vpn.disconnect(self.testbed.client)

    def uninstall(self, *, check: bool = True) -> Completed:
        """Remove the gateway; the administrator signs in for it.

        Raises TestbedError when a unit counts as failed afterwards.
        """
        done = self.cli("uninstall", "--unattended", check=check)
        if failed := self.failed_units() - self.failed_before:
            raise TestbedError(f"failed units after the uninstallation: {', '.join(sorted(failed))}")
        return done

    def failed_units(self) -> set[str]:
        """The units that systemd counts as failed; none without systemd."""
        if not self.testbed.kind.systemd:
            return set()
        listed = self.server.run(["systemctl", "--failed", "--no-legend", "--plain"]).stdout
        return {line.split()[0] for line in listed.splitlines()}

    def tenant(self) -> dict[str, list[str]]:
        """Names of the servers and of the gateways' applications that the lab holds."""
        return dict(json.loads(self.on_the_lab("tenant_state.py", f"{LAB}/lab.sqlite")))

    def start_lab(self) -> None:
        """Serve the tenant, and wait until it is ready. Raises TestbedError after 20 s."""
        lab = self.testbed.lab
        lab.write("/root/seed.yaml", Path(__file__).with_name("seed.yaml").read_text())
        host = "::" if self.testbed.ipv6 else "0.0.0.0"
        serve = (
            f"exec mstunnel-lab serve --dir {LAB} --seed /root/seed.yaml --host {host} --name lab.{DOMAIN}"
        )
        lab.start(["sh", "-c", f"{serve} >/root/lab.log 2>&1"])
        wait = f"timeout 20 sh -c 'until test -s {LAB}/lab.json; do sleep 0.05; done' && cat {LAB}/lab.json"
        described = lab.shell(wait, check=False).stdout
        if not described:
            raise TestbedError(lab.read("/root/lab.log"))
        self.lab = json.loads(described)

    def approve(self, line: str, user: str) -> None:
        """Complete the sign-in as `user` when the program has shown a device code in this line."""
        if code := self.code_in(line):
            command = ["mstunnel-lab", "approve", code, "--user", user, "--dir", LAB]
            self.testbed.lab.run(command, check=False)

    @staticmethod
    def code_in(line: str) -> str:
        """The device code that a line of output shows, or ""."""
        found = _CODE.fullmatch(line.rstrip())
        return found[1] if found else ""


class _Reader:
    """Collects a stream in the background, a line at a time."""

    def __init__(self, stream: IO[bytes], react: Callable[[str], None] = lambda _text: None) -> None:
        self._lines: list[str] = []
        self._stream = stream
        self._react = react
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream as stream:
            for raw in stream:
                line = raw.decode(errors="replace")
                self._lines.append(line)
                self._react(line)

    def text(self) -> str:
        """Everything, once the stream has ended."""
        self._thread.join(20)
        return "".join(self._lines)


def actions(completed: Completed) -> Sequence[str]:
    """What a run of mstunnel-setup says it did."""
    return [action for step in completed.envelope["data"]["steps"] for action in step["actions"]]
