"""The demo: from nothing to a page fetched through the tunnel, and back to nothing.

`python -m tests.testbed demo` boots a server, a lab tenant, an internal web server and a client; installs the
gateway with `mstunnel-setup`; connects the real VPN client; fetches the internal page; uninstalls. It writes
`build/demo/report.json` and the picture `build/demo/gateway.svg`, and ends with 0 only if traffic flowed.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from mstunnel_setup import __version__
from tests.testbed import images
from tests.testbed.host_tree import differences, host_tree
from tests.testbed.installation import DEVICE_USER, Installation, actions
from tests.testbed.paths import ROOT
from tests.testbed.process import TestbedError, progress
from tests.testbed.recording import Recording
from tests.testbed.testbed import INTRANET_PAGE, Testbed

REPORT = ROOT / "build" / "demo" / "report.json"
PICTURE = REPORT.with_name("gateway.svg")
# What each part does, and how long it usually takes on two cores, first and later.
_PARTS = {
    "images": "build images of gateway, agent, server, client and lab: 2 minutes the first time, later 3 s",
    "boot": "boot a server, a VPN client, a lab tenant and an internal web server in containers: 3 s",
    "prepare": "create a tenant, and write certificate and answer file on the server: 3 s",
    "install": "install the gateway on the server with mstunnel-setup, unattended: 8 s",
    "connect": "connect openconnect with a token of the lab tenant: 2 s",
    "fetch": "fetch the internal page through the tunnel: 1 s",
    "look": "look at the gateway on the server: 1 s",
    "uninstall": "remove the gateway from server and tenant, and compare both with their earlier state: 5 s",
}
_SHOWN = (
    ["mst-cli", "status"],
    ["mst-cli", "server", "show", "users"],
)
_COLUMNS = 130
# What to do, what it leads to, and the page about it.
_NEXT = (
    (f"open {PICTURE.relative_to(ROOT)} in a browser", "the gateway while the client was connected", ""),
    ("sudo make demo KEEP=1", "the same, leaving everything running", "docs/tutorial/first-gateway.md"),
    ("sudo make images dist", "two files for your own server", "docs/tutorial/real-server.md"),
)


class Demo:
    """Runs the demo and keeps what it measures."""

    def __init__(self) -> None:
        self.report: dict[str, Any] = {"version": __version__, "seconds": {}}

    def run(self, *, keep: bool) -> None:
        """Everything, in order. Raises TestbedError when a part does not do what it should."""
        with self._timed("images"):
            built = images.build(lab=images.DEMO_LAB)
        with self._timed("boot"):
            testbed = Testbed(keep=keep, preloaded=True, built=built).__enter__()
        try:
            self._drive(testbed, keep=keep)
        finally:
            testbed.__exit__(None, None, None)

    def _drive(self, testbed: Testbed, *, keep: bool) -> None:
        with self._timed("prepare"):
            preloaded = {
                name: f"{testbed.images[name].reference.rpartition(':')[0]}@{testbed.images[name].digest}"
                for name in images.RELEASED
            }
            installation = Installation(testbed, preloaded)
            installation.prepare()
        before, tenant = host_tree(installation), installation.tenant()
        with self._timed("install"):
            # The images are there: neither a registry nor an archive is needed.
            done = installation.setup("--ignore-check", "endpoint-registry")
        self.report["actions"] = len(actions(done))
        self.report["digests"] = json.loads(installation.server.read("/etc/mstunnel/images_configured"))
        self._use(installation)
        if not keep:
            with self._timed("uninstall"):
                installation.uninstall()
            changed = differences(before, host_tree(installation))
            _require(not changed, f"uninstall left or changed: {', '.join(changed[:10])}")
            left = installation.tenant()
            _require(not left["servers"], f"the tenant still lists {left['servers']}")
            _require(left == tenant, f"the tenant held {tenant} before the installation, and now {left}")

    def _use(self, installation: Installation) -> None:
        outside = installation.fetch_internal_page(check=False)
        _require(outside.code != 0, "the internal page is reachable without the tunnel")
        with self._timed("connect"):
            installation.connect()
            self.report["client_address"] = installation.client_address()
        with self._timed("fetch"):
            page = installation.fetch_internal_page().stdout
        _require(page == INTRANET_PAGE, f"the page is not the internal one: {page!r}")
        self.report["bytes"] = len(page)
        with self._timed("look"):
            shown = _draw(installation, page)
        oid = installation.token_user()
        _require(oid in shown, f"{DEVICE_USER} ({oid}) is not among the users: {shown}")
        self.report["user"] = oid

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        progress(f"{name}: {_PARTS[name]}")
        begin = time.monotonic()
        yield
        self.report["seconds"][name] = round(time.monotonic() - begin, 1)

    def write(self) -> None:
        """Write the report and print its summary."""
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps(self.report, indent=2) + "\n")
        for name, seconds in self.report["seconds"].items():
            print(f"  {name:14} {seconds:6.1f} s")
        for name in ("client_address", "bytes", "error"):
            if name in self.report:
                print(f"  {name:14} {self.report[name]}")
        print(f"  report         {REPORT.relative_to(ROOT)}")
        if "error" not in self.report:
            print("Next:")
            for command, result, page in _NEXT:
                print(f"  {command:41} {result}{f': {page}' if page else ''}")


def main() -> int:
    """Run the demo; the exit code says whether traffic flowed."""
    missing = [name for name in ("podman", "openssl") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        progress(f"the demo needs root{' and ' + ', '.join(missing) if missing else ''}; run it with sudo")
        return 2
    demo = Demo()
    try:
        demo.run(keep=bool(os.environ.get("KEEP")))
    except TestbedError as error:
        demo.report["error"] = str(error)
    demo.write()
    return 1 if "error" in demo.report else 0


def _draw(installation: Installation, page: str) -> str:
    """Write the picture of a terminal on the server, and one on the client, as they are now; their text."""
    environment = {"COLUMNS": str(_COLUMNS)}
    with ThreadPoolExecutor() as pool:
        printed = pool.map(lambda command: installation.server.run(command, env=environment).stdout, _SHOWN)
    lines = []
    for command, shown in zip(_SHOWN, printed, strict=True):
        lines += [f"root@server:~# {' '.join(command)}", *shown.splitlines(), ""]
    lines += [f"root@client:~# curl {installation.lab['internal_url']}", *page.splitlines()]
    screen = "\r\n".join(lines)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(Recording(_COLUMNS, len(lines), [(0.0, screen)]).svg())
    return screen


def _require(condition: object, message: str) -> None:
    if not condition:
        raise TestbedError(message)
