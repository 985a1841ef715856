"""The whole testbed: a server to install on, a lab, a registry, an internal web server and a VPN client."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.testbed import images, registry
from tests.testbed.images import ImageSet
from tests.testbed.kinds import PODMAN, Kind
from tests.testbed.machine import Machine
from tests.testbed.namespace import Namespace
from tests.testbed.paths import RUNS, STORE
from tests.testbed.process import progress

DOMAIN = "tunnel.test"
# Network name -> first three parts of its addresses.
NETWORKS = {"outside": "10.90.0", "internal": "10.99.0"}
# Network name -> what its IPv6 addresses begin with; machines have the same last part as in IPv4.
NETWORKS_6 = {"outside": "fd00:90::", "internal": "fd00:99::"}
PROXY_PORTS = (3128, 8888)
INTRANET_PAGE = "The internal page of the tunnel testbed.\n"
SIGNER = "/root/signer.pub"
INTRANET_URL = f"http://intranet.{DOMAIN}/"


class Testbed:
    """Boots on entering, is gone on leaving; with `keep` it stays and says how to look at it.

    Two networks: `outside` (client, server, lab, registry) and `internal` (server, intranet); no way from one
    to the other but through the server. Names end in `tunnel.test`; the server is also `vpn.tunnel.test`.

    `kind` is what the server is like. `preloaded` loads the images into its Podman, so that no test has
    to wait for them. With `ipv6` both networks have IPv6 as well.
    """

    __test__ = False

    def __init__(
        self,
        *,
        kind: Kind = PODMAN,
        keep: bool = False,
        preloaded: bool = False,
        ipv6: bool = False,
        built: ImageSet | None = None,
    ) -> None:
        self.kind = kind
        self.images = built or images.build(*([] if kind.image in images.NAMES else [kind.image]))
        self.preloaded = preloaded
        self.ipv6 = ipv6
        self.state = RUNS / f"{os.getpid()}-{time.monotonic_ns() // 1_000_000}"
        self.namespace = Namespace(self.state, keep=keep)
        self.server = Machine(self.namespace, "server")
        self.client = Machine(self.namespace, "client")
        self.lab = Machine(self.namespace, "lab")
        self.intranet = Machine(self.namespace, "intranet")

    def __enter__(self) -> Self:
        """Boot everything."""
        try:
            self.boot()
        except BaseException:
            self.namespace.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove everything, or say how to look at it."""
        if self.namespace.keep:
            progress(f"kept: {' '.join(self.server.argv(['bash'], tty=True))}")
            progress(f"end it: kill {self.namespace.pid}; rm -r {self.state}")
        else:
            self.namespace.close()

    def boot(self) -> None:
        """Networks and containers, then wait for the server's systemd."""
        begin = time.monotonic()
        for number, (name, prefix) in enumerate(NETWORKS.items()):
            options = ["--opt=isolate=true", *(["--internal"] if number else [])]
            options += ["--ipv6", f"--subnet={NETWORKS_6[name]}/64"] if self.ipv6 else []
            self.namespace.podman("network", "create", *options, f"--subnet={prefix}.0/24", name)
        self._start_server("server", 10)
        self.start_client("client", 20)
        self._start("lab", "lab", {"outside": 30})
        page = self._directory("intranet") / "index.html"
        page.write_text(INTRANET_PAGE)
        command = ("python3", "-m", "http.server", "--directory=/srv", "80")
        self._start("intranet", "lab", {"internal": 80}, f"--volume={page.parent}:/srv:ro", command=command)
        self.wait_until_up(self.server)
        progress(f"testbed booted in {time.monotonic() - begin:.1f} s")

    def wait_until_up(self, server: Machine) -> None:
        """Return once a server has started what it starts at boot."""
        if self.kind.systemd:
            server.run(["systemctl", "is-system-running", "--wait"], timeout=90, check=False)
        elif self.kind.engine == "docker":
            server.shell("until docker version >/dev/null 2>&1; do sleep 0.1; done", timeout=60)

    def restart_server(self) -> None:
        """Stop the server as a whole and boot it again."""
        self.namespace.podman("restart", "--time=20", "server", timeout=90)
        self.wait_until_up(self.server)

    def start_registry(self) -> registry.Registry:
        """A container registry with the gateway and agent images, trusted by the server."""
        served = registry.prepare(self.images)
        volumes = [f"--volume={path}:{where}:ro" for path, where in served.volumes]
        self._start("registry", "lab", {"outside": 40}, *volumes, command=registry.COMMAND)
        self.trust_registry(self.server, served)
        return served

    def trust_registry(self, server: Machine, served: registry.Registry) -> None:
        """Have a server accept what the registry serves."""
        server.write(f"{self.kind.certificates}/{registry.NAME}/ca.crt", served.authority)
        server.write(SIGNER, served.signer)

    def start_server(self, name: str, last: int) -> Machine:
        """One more server to install on, of the same kind; `last` ends its addresses."""
        self._start_server(name, last)
        server = Machine(self.namespace, name)
        self.wait_until_up(server)
        return server

    def start_client(self, name: str, last: int) -> Machine:
        """A machine with the real VPN client, as `client` is one; `last` ends its address."""
        self._start(name, "client", {"outside": last}, "--cap-add=NET_ADMIN", "--device=/dev/net/tun")
        return Machine(self.namespace, name)

    def start_proxy(self) -> Machine:
        """A forward proxy at `proxy.tunnel.test`, on two ports; `logs` names whom it connected to."""
        directory = self._directory("proxy")
        settings = "Port {}\nLogLevel Connect\nTimeout 600\nAllow 10.0.0.0/8\n"
        for port in PROXY_PORTS:
            (directory / f"{port}.conf").write_text(settings.format(port))
        serve = " & ".join(f"tinyproxy -d -c /srv/{port}.conf" for port in PROXY_PORTS)
        command = ("sh", "-c", f"{serve} & wait")
        self._start("proxy", "lab", {"outside": 50}, f"--volume={directory}:/srv:ro", command=command)
        return Machine(self.namespace, "proxy")

    def start_balancer(self, name: str, last: int, *command: str, configuration: str) -> Machine:
        """A machine that balances connections by `command`, which reads `/srv/configuration`."""
        directory = self._directory(name)
        (directory / "configuration").write_text(configuration)
        self._start(name, "lab", {"outside": last}, f"--volume={directory}:/srv:ro", command=command)
        return Machine(self.namespace, name)

    def start_gateway(self, name: str, last: int, files: Mapping[str, str | bytes]) -> Machine:
        """The gateway alone, without a server around it; `files` are below `/etc/mstunnel`."""
        directory = self._directory(name)
        for path, content in files.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(content.encode() if isinstance(content, str) else content)
        capabilities = [
            f"--cap-add={capability}" for capability in ("NET_ADMIN", "CHOWN", "KILL", "SETGID", "SETUID")
        ]
        options = [
            *("--cap-drop=all", *capabilities, "--device=/dev/net/tun", "--read-only"),
            *("--sysctl=net.ipv4.ip_forward=1", "--sysctl=net.ipv4.ip_unprivileged_port_start=0"),
            *("--tmpfs=/run:mode=0755", "--tmpfs=/etc/ssl/certs:mode=0755"),
            f"--volume={directory}:/etc/mstunnel:ro",
            "--stop-timeout=75",
        ]
        self._start(name, "gateway", {"outside": last, "internal": last}, *options)
        return Machine(self.namespace, name)

    def _start_server(self, name: str, last: int) -> None:
        options = ["--privileged", "--cgroupns=private"]
        options += ["--systemd=always"] if self.kind.systemd else ["--tmpfs=/run", "--stop-signal=TERM"]
        places = {"containers": "/var/lib/containers", "docker": "/var/lib/docker", "home": "/home"}
        options += [f"--volume={self._directory(f'{name}-{kind}')}:{place}" for kind, place in places.items()]
        if self.preloaded:
            options += [f"--volume={STORE}:/usr/lib/containers/storage:ro"]
        addresses = {"outside": last, "internal": last}
        self._start(name, self.kind.image, addresses, *options, command=self.kind.command)

    def _start(
        self, name: str, image: str, addresses: dict[str, int], *options: str, command: tuple[str, ...] = ()
    ) -> None:
        aliases = f"alias={name}.{DOMAIN}" + (f",alias=vpn.{DOMAIN}" if name == "server" else "")
        networks = [f"--network={n}:{self._at(n, last)},{aliases}" for n, last in addresses.items()]
        fixed = ["--detach", f"--name={name}", f"--hostname={name}"]
        self.namespace.podman("run", *fixed, *networks, *options, self.images[image].reference, *command)

    def _at(self, network: str, last: int) -> str:
        """The addresses of a machine in a network, as an option of Podman."""
        six = f",ip6={NETWORKS_6[network]}{last}" if self.ipv6 else ""
        return f"ip={NETWORKS[network]}.{last}{six}"

    def _directory(self, name: str) -> Path:
        path = self.state / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        return path
