"""Attacker: a device. It presents any token it likes; at last it has taken over the process it speaks to."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Self

import pytest

from mstunnel_setup.gateway.oidc import rule_of
from mstunnel_setup.operations.explain_facts import read_log
from tests.attack.record import record
from tests.attack.test_gateway import examine_neighbour
from tests.attack.tokens import ACCEPTED, NO_CLAIM, REFUSED, STRANGER, Forger
from tests.testbed import kinds, vpn
from tests.testbed.installation import LAB, TOKEN, Installation
from tests.testbed.process import Completed
from tests.testbed.testbed import DOMAIN
from tests.testbed.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ATTACKER = "device"
AUTOMATION = ("5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11", "Automation~of/the+testbed.8")
GATEWAY = "3678c9e9-9681-447a-974d-d19f668fcd88"
CURSOR = "/root/attack.cursor"
# The device's address as the gateway sees it.
CLIENT_OUTSIDE = "10.90.0.20"
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

    @classmethod
    @contextmanager
    def installed(cls, kind: kinds.Kind = kinds.PODMAN) -> Iterator[Self]:
        """A gateway on a host of this kind, with a log that has every reason."""
        with cls.booted(kind) as gateway:
            gateway.write_answers({"environment": {"DEBUG_LEVEL": 2}})
            gateway.setup()
            yield gateway

    def present(self, make: Callable[[], str]) -> Completed:
        """Have the real client connect with a token made now, whatever it did before."""
        self.in_gateway("occtl", "unban", "ip", CLIENT_OUTSIDE)
        self.logged()
        return self.sign_in(token=make())

    def logged(self) -> str:
        """What the gateway has logged since the last call."""
        command = ["journalctl", "--cursor-file", CURSOR, "--output=cat", "CONTAINER_NAME=mstunnel-server"]
        return self.server.run(command, check=False).stdout

    def reason(self, log: str) -> str:
        """Why the gateway refused the device's last sign-in, by the first and most exact line of `log`."""
        return read_log(log.splitlines(), CLIENT_OUTSIDE).reason

    def in_gateway(self, *command: str) -> Completed:
        """Run a command in the gateway's container, as root there."""
        fixed = self.testbed.kind.engine_command("exec", "mstunnel-server", *command)
        return self.server.run(fixed, check=False)

    def users(self) -> list[str]:
        """Names of the users who are connected; a sign-in that was refused may still be listed."""
        shown = self.cli("server", "show", "users")
        return [user["Username"] for user in shown.envelope["data"]["rows"] if user["State"] == "connected"]

    def worker(self) -> str:
        """Id of the process that serves the connected device, on the server."""
        return self.server.run(["pgrep", "--newest", "--exact", "ocserv-worker"]).stdout.strip()

    def status(self, process: str) -> dict[str, str]:
        """`/proc/PID/status` of a process, as the server sees it."""
        lines = self.server.read(f"/proc/{process}/status").splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with Gateway.installed() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def forger(gateway: Gateway) -> Forger:
    return Forger.of(gateway)


def enter(gateway: Gateway, make: Callable[[], str]) -> bool:
    """Whether the device is let in with a token made now; it is out again afterwards."""
    came_in = gateway.present(make).code == 0
    vpn.disconnect(gateway.testbed.client)
    return came_in


def refused(gateway: Gateway, name: str, make: Callable[[], str]) -> str:
    """What the gateway logs of a token made now, which does not open it; recorded under this name."""
    came_in = enter(gateway, make)
    record(ATTACKER, name, "let in" if came_in else "refused")
    log = gateway.logged()
    assert not came_in, log
    return log


@pytest.mark.parametrize("name", ACCEPTED)
def test_people_of_this_tenant_are_let_in(gateway: Gateway, forger: Forger, name: str) -> None:
    connected = gateway.present(lambda: ACCEPTED[name](forger))
    assert connected.code == 0, connected.describe() + gateway.logged()
    assert gateway.users() == [gateway.token_user()]
    gateway.check_page()
    vpn.disconnect(gateway.testbed.client)


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_token_is_refused_by_its_rule(gateway: Gateway, forger: Forger, name: str) -> None:
    make, rule = REFUSED[name]
    log = refused(gateway, name, lambda: make(forger))
    assert rule is None or rule_of(gateway.reason(log)) == rule, log
    assert "INJECTED" not in log.replace("\\n", "")
    assert gateway.users() == []


def test_token_of_an_application_is_refused(gateway: Gateway) -> None:
    lab, (client_id, secret) = gateway.testbed.lab, AUTOMATION
    form = {"client_id": client_id, "client_secret": secret, "scope": f"{GATEWAY}/.default"}
    form |= {"grant_type": "client_credentials"}
    fields = [word for pair in form.items() for word in ("--data-urlencode", "=".join(pair))]
    address = f"{gateway.lab['authority']}/oauth2/v2.0/token"
    answer = lab.run(["curl", "--silent", "--cacert", gateway.lab["ca_file"], *fields, address]).stdout
    name = "app-only token of an application of the tenant"
    refused(gateway, name, lambda: json.loads(answer)["access_token"])


def test_a_guest_who_signed_in_is_refused(gateway: Gateway) -> None:
    lab = gateway.testbed.lab
    lab.run(["mstunnel-lab", "token", "--user", f"guest@{DOMAIN}", "--out", TOKEN, "--dir", LAB])
    assert "acct" in refused(gateway, "token of a guest who signed in", lambda: lab.read(TOKEN))


def test_after_all_of_it_the_gateway_serves_as_before(gateway: Gateway, forger: Forger) -> None:
    assert enter(gateway, lambda: forger.good)
    assert gateway.in_gateway("test", "-e", "/run/INJECTED").code != 0


def examine_worker(gateway: Gateway, name: str) -> None:
    """A worker with a connected device has no rights, and reaches neither key nor command."""
    gateway.connect()
    gateway.check_page()
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
    record(ATTACKER, f"compromised worker ({name})", reached or "reached nothing")
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


def test_taken_over_worker_reaches_neither_key_nor_command(gateway: Gateway) -> None:
    examine_worker(gateway, "Podman")
    examine_service(gateway)
    assert f"OCSERV_TELEMETRY,connect,{CLIENT_OUTSIDE}" in gateway.logged()
    vpn.disconnect(gateway.testbed.client)


@pytest.mark.long
@pytest.mark.parametrize("kind", [kinds.PODMAN_ROOTLESS, kinds.DOCKER], ids=lambda kind: kind.name)
def test_gateway_processes_reach_no_more_with_other_engines(kind: kinds.Kind) -> None:
    with Gateway.installed(kind) as other:
        examine_neighbour(other, kind.name)
        examine_worker(other, kind.name)
        examine_service(other)


# Reads other rules from its input; ends when it is done, or after five seconds with this code.
STILL_RUNNING = 124
SECOND_SERVER = r"""
cat >/tmp/oidc.json
sed -E -e 's#/etc/mstunnel/oidc.json#/tmp/oidc.json#' \
    -e 's#^(occtl-)?socket-file .*#\1socket-file = /tmp/\1second#' \
    -e 's#^(tcp|udp)-port .*#\1-port = 8443#' -e 's#^device .*#device = second#' \
    /etc/mstunnel/ocserv.conf >/tmp/second.conf
timeout 5 ocserv --foreground --log-stderr --config /tmp/second.conf
"""
# Each would be a rule that no one keeps, were it ignored: what is added to `oidc.json`, or changed there.
UNSOUND: Mapping[str, Mapping[str, object]] = {
    "unknown rule": {"refused_claims": {"acct": [1]}},
    "rule that is no object": {"forbidden_words": ["5"]},
    "value that is no list": {"listed_claims": {"azp": "x"}},
    "list without values": {"optional_claims": {"acct": []}},
    "word with a space": {"forbidden_words": {"xms_idrel": ["5 7"]}},
    "word that is a number": {"forbidden_words": {"xms_idrel": [5]}},
    "no claims required": {"required_claims": {}},
    "required claims in a list": {"required_claims": ["iss"]},
    "lifetime in text": {"maximum_lifetime": "3600"},
    "another form of names": {"user_name_format": "text"},
}


@pytest.mark.parametrize("name", UNSOUND)
def test_gateway_refuses_to_start_with_an_unknown_token_rule(gateway: Gateway, name: str) -> None:
    rules = json.loads(gateway.server.read("/etc/mstunnel/oidc.json"))
    started = start_second_server(gateway, json.dumps({**rules, **UNSOUND[name]}))
    assert started.code != STILL_RUNNING, started.describe()
    assert f"unknown or malformed rule: {next(iter(UNSOUND[name]))}" in started.stderr


def test_gateway_refuses_to_start_with_a_repeated_token_rule(gateway: Gateway) -> None:
    text = gateway.server.read("/etc/mstunnel/oidc.json").rstrip().removesuffix("}")
    started = start_second_server(gateway, text + ', "forbidden_words": {"xms_idrel": ["9"]}}')
    assert started.code != STILL_RUNNING, started.describe()
    assert "failed to load config file" in started.stderr


def start_second_server(gateway: Gateway, rules: str) -> Completed:
    """Start ocserv with other rules beside the one that serves."""
    command = gateway.testbed.kind.engine_command(
        "exec", "--interactive", "mstunnel-server", "sh", "-c", SECOND_SERVER
    )
    return gateway.server.run(command, stdin=rules, check=False)


def test_second_server_starts_with_unchanged_token_rules(gateway: Gateway) -> None:
    started = start_second_server(gateway, gateway.server.read("/etc/mstunnel/oidc.json"))
    assert started.code == STILL_RUNNING, started.describe()


APP, OTHER_APP = "1b730954-1685-4b74-9bfd-dac224a7b894", "d3590ed6-52b3-4102-aeff-aad2292ab01c"


def test_the_rules_for_tokens_are_those_of_the_answers(gateway: Gateway, forger: Forger) -> None:
    chosen: dict[str, object] = {"version": 1, "scope": "Custom.Use", "maximum_lifetime": 7200}
    chosen |= {"clients": [APP, OTHER_APP], "required_claims": {"appidacr": "0"}}
    gateway.write_answers({"environment": {"DEBUG_LEVEL": 2}, "token": chosen})
    gateway.logged()
    gateway.setup()
    # The gateway looks at its files every five seconds.
    assert eventually(lambda: "configuration changed: restart" in gateway.logged(), 30)
    gateway.wait_until_healthy()
    issuer = forger.issuer.removesuffix("v2.0")
    good = {"iss": issuer, "ver": "1.0", "scp": "Custom.Use", "appid": OTHER_APP, "appidacr": "0"}
    assert enter(gateway, lambda: forger.token(**good)), gateway.logged()
    for name, wrong, rule in (
        ("issuer of version 2", {"iss": forger.issuer}, "issuer"),
        ("the usual scope", {"scp": "Tunnel_Allow"}, "scope"),
        ("another application", {"appid": STRANGER}, "client-v1"),
        ("no application", {"appid": NO_CLAIM}, "client-v1"),
        ("an application with a secret", {"appidacr": "1"}, "required-claims"),
        ("number instead of text", {"appidacr": 0}, "required-claims"),
        ("valid for longer", {"exp": forger.now() + 3 * 3600}, "lifetime"),
        ("guest in version 1", {"acct": 1, "xms_idrel": "5 30"}, "member"),
        ("app-only in version 1", {"idtyp": "app", "xms_idrel": "7 18"}, "user-token"),
        ("account of an agent in version 1", {"xms_sub_fct": "9 3 13"}, "person"),
    ):
        wrong_token = partial(forger.token, **{**good, **wrong})
        log = refused(gateway, f"{name}, where the answers say otherwise", wrong_token)
        assert rule_of(gateway.reason(log)) == rule
