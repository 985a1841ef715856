"""A real certbot with a real ACME server (pebble) on this machine; its deploy hook reaches the testbed."""

import json
import os
import shlex
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import trustme

from tests.serving import free_port


def missing(client: str = "certbot") -> list[str]:
    return [program for program in (client, "pebble") if shutil.which(program) is None]


@dataclass(frozen=True)
class Acme:
    """A running authority; `directory` holds certbot's configuration, work and log directories."""

    directory: Path
    port: int
    management: int

    @property
    def root(self) -> bytes:
        """The certificate of the authority's root."""
        context = ssl._create_unverified_context()
        with urlopen(f"https://localhost:{self.management}/roots/0", context=context) as answer:
            return bytes(answer.read())

    def lineage(self, name: str) -> Path:
        return self.directory / "letsencrypt" / "live" / name

    def certbot(self, *arguments: str) -> None:
        """Run certbot; only the certificate of the server is not verified."""
        directories = [
            f"--{kind}-dir={self.directory / name}"
            for kind, name in (("config", "letsencrypt"), ("work", "work"), ("logs", "logs"))
        ]
        server = f"--server=https://localhost:{self.port}/dir"
        done = subprocess.run(
            ["certbot", *arguments, *directories, server, "--no-verify-ssl", "--non-interactive"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def acme_sh(self, *arguments: str) -> None:
        """Run acme.sh; its home is a directory of ours, and it keeps out of the caller's crontab."""
        home = ["--home", str(self.directory / "acme.sh"), "--ecc"]
        server = ["--server", f"https://localhost:{self.port}/dir", "--insecure"]
        done = subprocess.run(
            ["acme.sh", *arguments, *home, *server, "-m", "admin@example.org"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory)},
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def issue(self, name: str, hook: Path) -> None:
        port = f"--http-01-port={free_port()}"
        account = ["--agree-tos", "--register-unsafely-without-email"]
        self.certbot("certonly", "--standalone", port, *account, "-d", name, f"--deploy-hook={hook}")

    def renew(self, name: str) -> None:
        self.certbot("renew", "--force-renewal", "--cert-name", name, "--no-random-sleep-on-renew")


@contextmanager
def acme_server(directory: Path) -> Iterator[Acme]:
    acme = Acme(directory, free_port(), free_port())
    own = trustme.CA().issue_cert("localhost")
    own.private_key_pem.write_to_path(directory / "key.pem")
    own.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    settings = {
        "listenAddress": f"127.0.0.1:{acme.port}",
        "managementListenAddress": f"127.0.0.1:{acme.management}",
        "certificate": str(directory / "cert.pem"),
        "privateKey": str(directory / "key.pem"),
        "httpPort": 5002,
        "tlsPort": 5001,
        "certificateValidityPeriod": 7_776_000,
    }
    (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
    environment = {
        **os.environ,
        "PEBBLE_VA_ALWAYS_VALID": "1",
        "PEBBLE_VA_NOSLEEP": "1",
        "PEBBLE_WFE_NONCEREJECT": "0",
    }
    with (directory / "pebble.log").open("w") as log:
        process = subprocess.Popen(
            ["pebble", "-config", str(directory / "pebble.json")],
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        _await(acme)
        yield acme
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def deploy_script(path: Path, acme: Acme, enter: list[str], hook: str) -> Path:
    """What certbot runs after a renewal: bring its directory to the server, and run the hook there."""
    tree = acme.directory / "letsencrypt"
    inside = shlex.join(enter)
    path.write_text(
        f"""#!/bin/sh
set -eu
tar -C {acme.directory} -cf - letsencrypt | {inside} tar -C /etc -xf -
exec {inside} env RENEWED_LINEAGE="/etc/letsencrypt${{RENEWED_LINEAGE#{tree}}}" {hook}
"""
    )
    path.chmod(0o755)
    return path


def carry(directory: Path, enter: list[str], files: Mapping[str, str], command: str) -> Path:
    """A reload command that brings files of `directory` to places on the server and runs `command` there."""
    inside = shlex.join(enter)
    copies = "".join(
        f"{inside} sh -c {shlex.quote(f'umask 077; cat >{place}')} <{directory / name}\n"
        for name, place in files.items()
    )
    script = directory / "carry"
    script.write_text(f"#!/bin/sh\nset -eu\n{copies}exec {inside} sh -c {shlex.quote(command)}\n")
    script.chmod(0o755)
    return script


def _await(acme: Acme) -> None:
    for _ in range(100):
        try:
            assert acme.root
        except (URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError((acme.directory / "pebble.log").read_text())
