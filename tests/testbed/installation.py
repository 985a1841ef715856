"""A gateway installed on a testbed's server, from the answer file to the connected client."""

import json
import re
import subprocess
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ruamel.yaml import YAML

from tests.testbed import vpn
from tests.testbed.certificates import Authority
from tests.testbed.process import Completed, TestbedError
from tests.testbed.testbed import DOMAIN, Testbed

ADMINISTRATOR = f"admin@{DOMAIN}"
DEVICE_USER = f"device@{DOMAIN}"
PUBLIC_ADDRESS = f"vpn.{DOMAIN}"
ANSWERS = "/root/answers.yaml"
LAB = "/var/lib/mstunnel-lab"
TOKEN = "/root/token"
_CODE = re.compile(r"^ {4}([A-Z0-9-]{6,12})$", re.MULTILINE)
_SECONDS = 300.0


class Installation:
    """What an administrator does, on real parts: prepare, install, look, remove."""

    def __init__(self, testbed: Testbed, references: Mapping[str, str]) -> None:
        self.testbed = testbed
        self.server = testbed.server
        self.references = references
        self.authority = Authority()
        self.lab: dict[str, Any] = {}

    def prepare(self) -> None:
        """Start the lab tenant; put certificate, trusted root and answer file on the server."""
        self._start_lab()
        self.place_certificate(PUBLIC_ADDRESS)
        self.server.write("/root/lab-ca.pem", self.testbed.lab.read(self.lab["ca_file"]))
        self.write_answers({})

    def place_certificate(self, name: str, *, days: int = 90) -> None:
        """A new certificate for `name` where the answer file says it is."""
        chain, key = self.authority.issue(name, days=days)
        self.server.write("/root/chain.pem", chain, 0o644)
        self.server.write("/root/key.pem", key, 0o600)

    def answers(self) -> dict[str, Any]:
        """A complete answer file as data."""
        return {
            "version": 1,
            "eula": "accept",
            "server_name": "gw1",
            "tenant": {
                "cloud": "custom",
                "authority": self.lab["authority"],
                "graph": self.lab["graph"],
                "ca_file": "/root/lab-ca.pem",
            },
            "sign_in": {"method": "device-code", "client_id": self.lab["client_id"]},
            "site": "Testbed",
            "certificate": {"chain": "/root/chain.pem", "key": "/root/key.pem"},
            "images": {"server": self.references["gateway"], "agent": self.references["agent"]},
        }

    def write_answers(self, changes: Mapping[str, Any], path: str = ANSWERS) -> None:
        """Write the answer file with some sections replaced (None leaves one out)."""
        merged = {**self.answers(), **changes}
        with (self.testbed.state / "answers.yaml").open("w") as stream:
            YAML().dump({name: value for name, value in merged.items() if value is not None}, stream)
        self.server.write(path, (self.testbed.state / "answers.yaml").read_text())

    def setup(
        self,
        *arguments: str,
        check: bool = True,
        user: str = ADMINISTRATOR,
        on_event: "Watcher | None" = None,
    ) -> Completed:
        """Run `mstunnel-setup` with the answer file, unattended, JSON on stdout; `user` signs in when asked."""
        fixed = ["--answers", ANSWERS, "--unattended", "--output", "json"]
        return self.program("mstunnel-setup", *arguments, *fixed, check=check, user=user, on_event=on_event)

    def program(
        self,
        *command: str,
        check: bool = True,
        user: str = ADMINISTRATOR,
        on_event: "Watcher | None" = None,
    ) -> Completed:
        """Run a program on the server, answering a device code as `user`.

        `on_event` sees every progress event as it is printed and may end the program by raising StopIteration.
        """
        script = 'echo $$ >/run/program.pid; exec "$@"'
        if on_event is not None:
            command = (*command, "--progress-fd", "2")
        started = time.monotonic()
        argv = self.server.argv(["sh", "-c", script, "sh", *command])
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output = _Reader(process.stdout)
        errors = _Reader(process.stderr, lambda text: self._react(text, user, on_event))
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            process.wait(10)
        result = Completed(
            command, process.returncode, output.text(), errors.text(), time.monotonic() - started
        )
        if check and result.code != 0:
            raise TestbedError(result.describe())
        return result

    def kill(self) -> None:
        """SIGKILL for the program that `program` started."""
        self.server.shell("kill -KILL $(cat /run/program.pid)", check=False)

    def connect(self) -> Completed:
        """Connect the VPN client as the device user, with a token of the lab. Raises TestbedError."""
        connected = vpn.connect(
            self.testbed.client,
            f"https://{PUBLIC_ADDRESS}/",
            token=self.token(),
            authority=self.authority.pem.decode(),
        )
        if connected.code != 0:
            raise TestbedError(connected.describe())
        return connected

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

    def disconnect(self) -> None:
        """End the VPN client, if it runs."""
        if self.testbed.client.run(["test", "-e", vpn.PID], check=False).code == 0:
            vpn.disconnect(self.testbed.client)

    def uninstall(self, *, check: bool = True) -> Completed:
        """Remove the gateway; the administrator signs in for it."""
        return self.program("mst-cli", "uninstall", "--unattended", "--output", "json", check=check)

    def tenant(self) -> dict[str, list[str]]:
        """Names of the servers and of the gateways' applications that the lab holds."""
        script = (Path(__file__).with_name("tenant_state.py")).read_text()
        return dict(
            json.loads(self.testbed.lab.run(["python3", "-", f"{LAB}/lab.sqlite"], stdin=script).stdout)
        )

    def _start_lab(self) -> None:
        lab = self.testbed.lab
        lab.write("/root/seed.yaml", Path(__file__).with_name("seed.yaml").read_text())
        serve = (
            f"exec mstunnel-lab serve --dir {LAB} --seed /root/seed.yaml --host 0.0.0.0 --name lab.{DOMAIN}"
        )
        lab.start(["sh", "-c", f"{serve} >/root/lab.log 2>&1"])
        for _ in range(80):
            found = lab.run(["cat", f"{LAB}/lab.json"], check=False)
            if found.code == 0:
                self.lab = json.loads(found.stdout)
                return
            time.sleep(0.25)
        raise TestbedError(lab.read("/root/lab.log"))

    def _react(self, text: str, user: str, on_event: "Watcher | None") -> None:
        if code := _CODE.search(text):
            approve = ["mstunnel-lab", "approve", code[1], "--user", user, "--dir", LAB]
            self.testbed.lab.run(approve, check=False)
        if on_event is not None and text.startswith("{"):
            on_event(json.loads(text))


Watcher = Callable[[dict[str, Any]], None]


class _Reader:
    """Collects a stream in the background, a line at a time."""

    def __init__(self, stream: IO[bytes] | None, react: Callable[[str], None] = lambda _text: None) -> None:
        self._lines: list[str] = []
        self._stream = stream
        self._react = react
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for raw in self._stream or ():
            line = raw.decode(errors="replace")
            self._lines.append(line)
            self._react(line)

    def text(self) -> str:
        """Everything, once the stream has ended."""
        self._thread.join(20)
        return "".join(self._lines)


def actions(completed: Completed) -> Sequence[str]:
    """What a run of mstunnel-setup says it did."""
    steps = json.loads(completed.stdout)["data"]["steps"]
    return [action for step in steps for action in step["actions"]]
