"""Attacker: a device. It presents any token it likes; at last it has taken over the process it speaks to."""

import json
from collections.abc import Iterator

import pytest

from tests.attack.record import record
from tests.attack.test_gateway import examine_neighbour
from tests.attack.tokens import ACCEPTED, REFUSED, Forger
from tests.testbed import kinds, vpn
from tests.testbed.installation import LAB, PUBLIC_ADDRESS, TOKEN, Installation
from tests.testbed.process import Completed
from tests.testbed.testbed import DOMAIN, INTRANET_PAGE, Testbed
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ATTACKER = "device"
AUTOMATION = ("5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11", "Automation~of/the+testbed.8")
GATEWAY = "3678c9e9-9681-447a-974d-d19f668fcd88"
CURSOR = "/root/attack.cursor"
# Runs with the numbers and the files of a worker; prints what it got at and should not have.
TAKEN_OVER = """
private=/etc/mstunnel/private
for file in $private/site.key $private/active/key.pem $private/agent.p12 $private/generations/*/key.pem \
    /etc/mstunnel/agent/agent.p12 /etc/mstunnel/env.sh \
    /proc/[0-9]*/environ /proc/[0-9]*/maps /proc/[0-9]*/root/$private/site.key; do
    head -c1 "$file" 2>/dev/null | grep -q . && echo "read $file"
done
state=/var/lib/mstunnel
for directory in /etc/mstunnel /etc/mstunnel/agent /run $state-server $state-agent /etc/ssl/certs; do
    touch "$directory/taken" 2>/dev/null && echo "wrote $directory"
done
occtl show status >/dev/null 2>&1 && echo "commanded the server"
ip link add dummy0 type dummy 2>/dev/null && echo "changed the network"
exit 0
"""


class Gateway(Installation):
    """An installed gateway and what it logs, from the sight of the device's attacks."""

    def installed(self) -> "Gateway":
        """Install it, with a log that has every reason."""
        self.prepare()
        self.write_answers({"environment": {"DEBUG_LEVEL": 2}})
        self.setup()
        return self

    def present(self, token: str) -> Completed:
        """Have the real client connect with this token, whatever it did before."""
        self.in_gateway("occtl", "unban", "ip", self.client_outside)
        self.logged()
        url, authority = f"https://{PUBLIC_ADDRESS}/", self.authority.pem.decode()
        return vpn.connect(self.testbed.client, url, token=token, authority=authority)

    def logged(self) -> str:
        """What the gateway has logged since the last call."""
        command = ["journalctl", "--cursor-file", CURSOR, "--output=cat", "CONTAINER_NAME=mstunnel-server"]
        return self.server.run(command, check=False).stdout

    def in_gateway(self, *command: str) -> Completed:
        """Run a command in the gateway's container, as root there."""
        fixed = self.testbed.kind.engine_command("exec", "mstunnel-server", *command)
        return self.server.run(fixed, check=False)

    def users(self) -> list[str]:
        """Names of the users who are connected."""
        shown = self.server.run(["mst-cli", "server", "show", "users", "--output", "json"])
        return [user["Username"] for user in json.loads(shown.stdout)["data"]["rows"]]

    def worker(self) -> str:
        """Id of the process that serves the connected device, on the server."""
        return self.server.run(["pgrep", "--newest", "--exact", "ocserv-worker"]).stdout.strip()

    def status(self, process: str) -> dict[str, str]:
        """`/proc/PID/status` of a process, as the server sees it."""
        lines = self.server.read(f"/proc/{process}/status").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def client_outside(self) -> str:
        """The device's address as the gateway sees it."""
        return "10.90.0.20"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Testbed() as testbed:
        yield Gateway(testbed, testbed.start_registry().references).installed()


@pytest.fixture(scope="module")
def forger(gateway: Gateway) -> Forger:
    return Forger(gateway)


def enter(gateway: Gateway, token: str) -> bool:
    """Whether the device is let in with this token; it is out again afterwards."""
    came_in = gateway.present(token).code == 0
    vpn.disconnect(gateway.testbed.client)
    return came_in


@pytest.mark.parametrize("name", ACCEPTED)
def test_people_of_this_tenant_are_let_in(gateway: Gateway, forger: Forger, name: str) -> None:
    connected = gateway.present(ACCEPTED[name](forger))
    assert connected.code == 0, connected.describe() + gateway.logged()
    assert gateway.users() == [gateway.token_user()]
    assert gateway.fetch_internal_page().stdout == INTRANET_PAGE
    vpn.disconnect(gateway.testbed.client)


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_token_is_refused_for_its_reason(gateway: Gateway, forger: Forger, name: str) -> None:
    make, reason = REFUSED[name]
    came_in = enter(gateway, make(forger))
    record(ATTACKER, name, "let in" if came_in else "refused")
    log = gateway.logged()
    assert not came_in, log
    assert reason in log
    assert "INJECTED" not in log.replace("\\n", "")
    assert gateway.users() == []


def test_what_an_application_gets_for_itself_from_the_tenant_is_refused(gateway: Gateway) -> None:
    lab, (client_id, secret) = gateway.testbed.lab, AUTOMATION
    form = {"client_id": client_id, "client_secret": secret, "scope": f"{GATEWAY}/.default"}
    form |= {"grant_type": "client_credentials"}
    fields = [word for pair in form.items() for word in ("--data-urlencode", "=".join(pair))]
    address = f"{gateway.lab['authority']}/oauth2/v2.0/token"
    answer = lab.run(["curl", "--silent", "--cacert", gateway.lab["ca_file"], *fields, address]).stdout
    came_in = enter(gateway, json.loads(answer)["access_token"])
    record(ATTACKER, "app-only token of an application of the tenant", "let in" if came_in else "refused")
    assert not came_in


def test_a_guest_who_signed_in_is_refused(gateway: Gateway) -> None:
    lab = gateway.testbed.lab
    lab.run(["mstunnel-lab", "token", "--user", f"guest@{DOMAIN}", "--out", TOKEN, "--dir", LAB])
    came_in = enter(gateway, lab.read(TOKEN))
    record(ATTACKER, "token of a guest who signed in", "let in" if came_in else "refused")
    assert not came_in
    assert "acct" in gateway.logged()


def test_after_all_of_it_the_gateway_serves_as_before(gateway: Gateway, forger: Forger) -> None:
    assert enter(gateway, forger.good)
    assert gateway.in_gateway("test", "-e", "/run/INJECTED").code != 0


def examine_worker(gateway: Gateway, name: str) -> None:
    """A worker with a connected device has no rights, and reaches neither key nor command."""
    gateway.connect()
    assert gateway.fetch_internal_page().stdout == INTRANET_PAGE
    process = gateway.worker()
    status = gateway.status(process)
    user, group = set(status["Uid"].split()), set(status["Gid"].split())
    assert (len(user), len(group), status["Groups"]) == (1, 1, next(iter(group)))
    assert "0" not in user | group
    inside = gateway.in_gateway("sh", "-c", "grep -h ^Uid: $(grep -l ^Name:.ocserv-worker /proc/*/status)")
    assert set(inside.stdout.split()) == {"Uid:", "65531"}
    for capabilities in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(status[capabilities], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

    become = ["nsenter", f"--target={process}", "--mount", "--net", "--ipc", "--uts"]
    become += [f"--setuid={next(iter(user))}", f"--setgid={next(iter(group))}"]
    reached = gateway.server.run([*become, "sh", "-c", TAKEN_OVER]).stdout
    record(ATTACKER, f"worker taken over ({name})", reached or "reached nothing")
    assert reached == ""


def examine_service(gateway: Gateway) -> None:
    """What goes from the main process to workers and scripts works: DTLS, session log, occtl."""
    # DTLS comes up in the background.
    show = "mst-cli server show users --output json"
    shown = gateway.server.shell(f"for i in $(seq 20); do {show} | grep DTLS && exit; sleep 0.5; done")
    assert "DTLS" in shown.stdout
    name = gateway.token_user()
    process = gateway.worker()
    gateway.server.run(["mst-cli", "server", "disconnect", "user", name])
    gateway.server.shell(f"for i in $(seq 50); do [ -e /proc/{process} ] || exit 0; sleep 0.1; done; exit 1")


def test_a_worker_that_was_taken_over_reaches_neither_key_nor_command(gateway: Gateway) -> None:
    examine_worker(gateway, "Podman")
    examine_service(gateway)
    assert f"OCSERV_TELEMETRY,connect,{gateway.client_outside}" in gateway.logged()
    vpn.disconnect(gateway.testbed.client)


@pytest.mark.long
@pytest.mark.parametrize("kind", [kinds.PODMAN_ROOTLESS, kinds.DOCKER], ids=lambda kind: kind.name)
def test_neither_worker_nor_main_process_reaches_more_with_other_engines(kind: kinds.Kind) -> None:
    with Testbed(kind=kind) as testbed:
        other = Gateway(testbed, testbed.start_registry().references).installed()
        examine_neighbour(other, kind.name)
        examine_worker(other, kind.name)
        examine_service(other)


def test_the_rules_for_tokens_are_those_of_the_answers(gateway: Gateway, forger: Forger) -> None:
    chosen = {"version": 1, "scope": "Custom.Use", "maximum_lifetime": 7200, "required_claims": {"azp": "x"}}
    gateway.write_answers({"environment": {"DEBUG_LEVEL": 2}, "token": chosen})
    gateway.logged()
    gateway.setup()
    # The gateway looks at its files every five seconds.
    assert eventually(lambda: "configuration changed: restart" in gateway.logged(), 30)
    gateway.wait_until_healthy()
    issuer = forger.issuer.removesuffix("v2.0")
    good = {"iss": issuer, "ver": "1.0", "scp": "Custom.Use", "azp": "x"}
    assert enter(gateway, forger.token(**good)), gateway.logged()
    for name, wrong, reason in (
        ("issuer of version 2", {"iss": forger.issuer}, "iss"),
        ("the usual scope", {"scp": "Tunnel_Allow"}, "scp"),
        ("another application", {"azp": "y"}, "azp"),
        ("valid for longer", {"exp": forger.now() + 3 * 3600}, "more than 7200 seconds"),
    ):
        came_in = enter(gateway, forger.token(**{**good, **wrong}))
        record(ATTACKER, f"{name}, where the answers say otherwise", "let in" if came_in else "refused")
        assert not came_in
        assert reason in gateway.logged()
