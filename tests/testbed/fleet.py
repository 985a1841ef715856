"""Servers of one site as a team runs them: a controller with Ansible reaches each over SSH."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bundle import dist
from tests.testbed import kinds
from tests.testbed.installation import Installation
from tests.testbed.machine import Machine
from tests.testbed.paths import ROOT
from tests.testbed.process import Completed, TestbedError, run
from tests.testbed.testbed import NETWORKS, Testbed

CLIENT_ID = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11"
CLIENT_SECRET = "Automation~of/the+testbed.8"
BALANCER = f"{NETWORKS['outside']}.70"
_LAST = {"server": 10, "gw2": 72, "gw3": 73, "gw4": 74}
_ANSIBLE = ROOT / ".venv-ansible/bin"
_DIRECTORY = "{{ mstunnel_gateway_directory }}"
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


def address_of(name: str) -> str:
    """Where a server of the site is."""
    return f"{NETWORKS['outside']}.{_LAST[name]}"


def collections() -> Path:
    """A directory in which Ansible finds the collection of this checkout."""
    link = ROOT / "build/ansible_collections/mstunnel/gateway"
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / "ansible")
    return ROOT / "build"


@dataclass(frozen=True)
class Recap:
    """What a play did on one server, in numbers of tasks."""

    changed: int
    unreachable: int
    failed: int


@dataclass
class Fleet:
    """`servers` by name. The inventory is made for each play; `variables` are those of the group."""

    installation: Installation
    servers: dict[str, Machine] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def running(cls, *names: str) -> Iterator["Fleet"]:
        """A testbed whose controller knows these bare servers by their keys; its own one is `server`."""
        with Testbed(kind=kinds.BARE_SSH) as testbed:
            served = testbed.start_registry()
            installation = Installation(testbed, served.references)
            installation.start_lab()
            fleet = cls(installation)
            fleet.directory.mkdir()
            key = fleet.directory / "id_ed25519"
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
            for name in names:
                server = testbed.server if name == "server" else testbed.start_server(name, _LAST[name])
                testbed.trust_registry(server, served)
                server.write("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_text(), 0o600)
                host_key = server.read("/etc/ssh/ssh_host_ed25519_key.pub")
                with (fleet.directory / "known_hosts").open("a") as known:
                    known.write(f"{address_of(name)} {host_key}")
                fleet.servers[name] = server
            fleet.variables = fleet._variables()
            yield fleet

    @property
    def directory(self) -> Path:
        """Where the controller keeps inventory, keys and vault."""
        return self.installation.testbed.state / "controller"

    def play(
        self,
        playbook: str,
        *options: str,
        limit: Iterable[str] = (),
        hosts: Mapping[str, Mapping[str, Any]] | None = None,
        check: bool = True,
    ) -> Completed:
        """Run a playbook of the collection; `hosts` are further variables of single servers."""
        self._write_inventory(hosts or {})
        limited = [f"--limit={','.join(limit)}"] if limit else []
        settings = {
            "ANSIBLE_HOME": f"{self.directory}/home",
            # Another testbed has servers with the same addresses.
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{self.directory}/cp",
            "ANSIBLE_COLLECTIONS_PATH": str(collections()),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_VAULT_PASSWORD_FILE": f"{self.directory}/vault-password",
            "LC_ALL": "C.UTF-8",
        }
        variables = [f"{name}={value}" for name, value in settings.items()]
        argv = ["env", *variables, str(_ANSIBLE / "ansible-playbook"), f"--inventory={self.directory}/hosts"]
        argv += [f"mstunnel.gateway.{playbook}", *limited, *options]
        return self.installation.testbed.namespace.run(*argv, timeout=1500, check=check)

    def _variables(self) -> dict[str, Any]:
        """What an administrator writes about the group, as the example of an inventory has it."""
        prepared = self.installation
        answers = {
            **prepared.answers(),
            "server_name": "{{ inventory_hostname }}",
            "sign_in": {
                "method": "client-secret",
                "client_id": CLIENT_ID,
                "client_secret": "env:MSTUNNEL_SECRET_SIGN_IN",
            },
            "certificate": {"chain": f"{_DIRECTORY}/chain.pem", "key": f"{_DIRECTORY}/key.pem"},
        }
        answers["tenant"] = {**answers["tenant"], "ca_file": f"{_DIRECTORY}/lab-ca.pem"}
        return {
            "mstunnel_gateway_program": str(dist.one_file()),
            "mstunnel_gateway_answers": answers,
            "mstunnel_gateway_secrets": {"MSTUNNEL_SECRET_SIGN_IN": "{{ vault_client_secret }}"},
            "mstunnel_gateway_files": {
                "chain.pem": "{{ vault_chain }}",
                "key.pem": "{{ vault_key }}",
                "lab-ca.pem": prepared.testbed.lab.read(prepared.lab["ca_file"]),
            },
        }

    def _write_inventory(self, hosts: Mapping[str, Mapping[str, Any]]) -> None:
        ssh = f"-o UserKnownHostsFile={self.directory}/known_hosts"
        of_all = {
            "ansible_user": "root",
            "ansible_pipelining": True,
            "ansible_ssh_private_key_file": f"{self.directory}/id_ed25519",
            "ansible_ssh_common_args": ssh,
        }
        servers = {name: {"ansible_host": address_of(name), **hosts.get(name, {})} for name in self.servers}
        group = {"hosts": servers, "vars": self.variables}
        inventory = {"all": {"vars": of_all, "children": {"mstunnel_gateways": group}}}
        folder = self.directory / "hosts"
        vault = folder / "group_vars/mstunnel_gateways/vault.yml"
        vault.parent.mkdir(parents=True, exist_ok=True)
        (folder / "hosts.json").write_text(json.dumps(inventory, indent=2))
        if not vault.exists():
            self._encrypt(vault)

    def _encrypt(self, vault: Path) -> None:
        chain, key = self.installation.authority.issue("vpn.tunnel.test")
        secrets = {
            "vault_client_secret": CLIENT_SECRET,
            "vault_chain": chain.decode(),
            "vault_key": key.decode(),
        }
        password = self.directory / "vault-password"
        password.write_text("correct horse battery staple\n")
        plain = json.dumps(secrets)
        given = [f"--vault-password-file={password}", f"--output={vault}", "-"]
        run([str(_ANSIBLE / "ansible-vault"), "encrypt", *given], stdin=plain)


def recap(played: Completed) -> dict[str, Recap]:
    """What a play did, by server. Raises TestbedError where it ended before it began."""
    found = recaps(played.stdout)
    if not found:
        raise TestbedError(played.describe())
    return found


def recaps(printed: str) -> dict[str, Recap]:
    """The last lines of what ansible-playbook prints, by server."""
    return {
        name: Recap(int(changed), int(unreachable), int(failed))
        for name, changed, unreachable, failed in _RECAP.findall(printed)
    }
