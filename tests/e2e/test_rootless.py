"""A gateway of an account that starts the installation itself: root's part is asked for by one sudo."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.testbed import installation as steps
from tests.testbed import kinds
from tests.testbed.host_tree import host_tree
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.machine import Entry
from tests.testbed.process import Completed
from tests.testbed.terminal import Terminal
from tests.testbed.testbed import INTRANET_PAGE, Testbed
from tests.testbed.waiting import eventually, settled

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(600)]

ACCOUNT = "gateway"
KIND = replace(kinds.PODMAN_ROOTLESS, name="podman-account", account=ACCOUNT)
# The documented rules, also for the program before it is installed.
_HOST = f"mstunnel-setup host --account {ACCOUNT}"
_ALLOWED = [
    f"{directory}/{_HOST} {more} --unattended --output json"
    for directory in ("/opt/copied", "/usr/sbin")
    for more in ("--accept-eula --answers-from-stdin", "--remove")
]
RULE = f"{ACCOUNT} ALL=(root) NOPASSWD: {', '.join(_ALLOWED)}\n"
SUDOERS = f"/etc/sudoers.d/{ACCOUNT}"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/opt/copied"
AS_ACCOUNT = ("runuser", "-u", ACCOUNT, "--", "env", "-i", f"HOME=/home/{ACCOUNT}", f"PATH={PATH}")


class Host(Installation):
    """A host with an account that wants a gateway, and what the host was like before."""

    before: dict[str, Entry]
    home_before: set[str]
    tenant_before: dict[str, list[str]]

    def place_certificate(self, chain: bytes, key: bytes) -> None:
        """Put chain and key where the answer file says they are; the key is the account's alone."""
        super().place_certificate(chain, key)
        self.server.shell(f"cd {KIND.directory} && chown {ACCOUNT} key.pem && chmod 600 key.pem")

    def as_account(self, *command: str) -> Completed:
        """Run a program as a login of the account would, with nothing of root's environment."""
        return self.program(*AS_ACCOUNT, *command, check=False)

    def install(self, *before: str) -> Completed:
        """The unattended installation, as the account."""
        fixed = ("--answers", self.path("answers.yaml"), "--unattended", "--output", "json")
        return self.as_account(*before, "mstunnel-setup", *fixed)

    def allow_sudo(self, *, allowed: bool) -> None:
        """Let the account do root's part, or not any more."""
        if allowed:
            self.server.write(SUDOERS, RULE, 0o440)
        else:
            self.server.run(["rm", "-f", SUDOERS])


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Testbed(kind=KIND) as testbed:
        made = Host(testbed, testbed.start_registry().references)
        made.server.run(["useradd", "--create-home", ACCOUNT])
        made.prepare()
        made.server.write(made.path("kill_at.py"), Path(steps.__file__).with_name("kill_at.py").read_text())
        made.before, made.tenant_before, made.home_before = tree(made), made.tenant(), home(made)
        yield made


def tree(host: Host) -> dict[str, Entry]:
    """The server as it is."""
    return host_tree(host)


def home(host: Host) -> set[str]:
    """All paths in the home of the account."""
    return set(host.server.run(["find", f"/home/{ACCOUNT}"]).stdout.splitlines())


@pytest.mark.parametrize("account", ["root", ACCOUNT])
def test_unattended_without_accepted_terms_nothing_is_begun(host: Host, account: str) -> None:
    host.write_answers({"eula": None, "site": None})
    refused = host.install() if account == ACCOUNT else host.setup("--account", ACCOUNT, check=False)
    host.write_answers({})
    assert (refused.code, refused.error) == (2, "answers-missing"), refused.describe()
    for path in ("eula", "site"):
        assert f"`{path}`: give" in refused.message
    assert tree(host) == host.before


@pytest.mark.parametrize(
    "command",
    [
        ("mstunnel-setup", "--account", ACCOUNT),
        ("mstunnel-setup", "host"),
        ("runuser", "-u", ACCOUNT, "--", "mstunnel-setup"),
    ],
)
def test_declined_terms_leave_the_host_as_it_was(host: Host, command: tuple[str, ...]) -> None:
    host.write_answers({"eula": None})
    with Terminal(
        host.server, (*command, "--answers", host.path("answers.yaml")), {"PATH": PATH}
    ) as terminal:
        terminal.wait_for("-- more")
        terminal.type("q")
        terminal.wait_for("Do you accept these terms?")
        terminal.type("no")
        assert terminal.end(60) == 2, terminal.screen
    host.write_answers({})
    assert "the terms were not accepted; nothing was changed" in terminal.screen
    assert "root privileges" not in terminal.screen
    assert tree(host) == host.before


@pytest.mark.parametrize("account", ["root", ACCOUNT])
def test_a_key_of_root_alone_is_refused_before_the_first_change(host: Host, account: str) -> None:
    chain, key = host.authority.issue(PUBLIC_ADDRESS)
    host.server.write("/root/site.pem", chain + key, 0o600)
    host.write_answers({"certificate": {"chain": host.path("chain.pem"), "key": "/root/site.pem"}})
    refused = host.install() if account == ACCOUNT else host.setup("--account", ACCOUNT, check=False)
    assert (refused.code, refused.error) == (3, "account-cannot-read"), refused.describe()
    found = tree(host)
    assert found.pop("/root/site.pem").mode == 0o600
    assert found == host.before

    # As the hint says.
    host.server.shell("\n".join(refused.hint.splitlines()[1:]))
    assert host.server.shell("stat -c '%U %a' /root/site.pem /srv/mstunnel/site.pem").stdout == (
        f"root 600\n{ACCOUNT} 600\n"
    )
    host.write_answers({"certificate": {"chain": "/srv/mstunnel/site.pem", "key": "/srv/mstunnel/site.pem"}})
    assert host.install().error == "root-needed"
    host.server.run(["rm", "/root/site.pem", "/srv/mstunnel/site.pem"])
    host.write_answers({})


def test_without_sudo_the_list_is_shown_and_nothing_is_changed(host: Host) -> None:
    refused = host.install()
    assert (refused.code, refused.error) == (11, "root-needed"), refused.describe()
    assert f"sudo /opt/copied/mstunnel-setup host --account {ACCOUNT}" in refused.hint
    for change in (
        f"let the services of {ACCOUNT} run without a login",
        f"give the directory /etc/mstunnel to {ACCOUNT}",
        "copy /opt/copied/mstunnel-setup to /usr/sbin/mstunnel-setup",
        "open the socket mstunnel-uplink.socket, which connects the gateway to the network",
    ):
        assert change in " ".join(refused.stderr.split())
    assert "ip_unprivileged_port_start" not in refused.stderr
    assert tree(host) == host.before


def test_a_killed_half_of_root_is_finished_by_the_one_sudo(host: Host) -> None:
    kill = ("python3", host.path("kill_at.py"), "kernel", "mstunnel-setup", "host", "--account", ACCOUNT)
    killed = host.program(*kill, "--answers", host.path("answers.yaml"), "--unattended", check=False)
    assert killed.code == 137, killed.describe()

    host.allow_sudo(allowed=True)
    killed = host.install("python3", host.path("kill_at.py"), "launch")
    assert killed.code == 137, killed.describe()
    status = host.as_account("mstunnel-setup", "status", "--output", "json").envelope["data"]
    # With sudo the account cannot set a proxy for all users.
    assert status["done"][:6] == ["eula", "account", "program", "kernel", "uplink", "boot"]
    assert (status["installed"], status["next"]) == (False, "launch")


def test_a_killed_half_of_the_account_is_finished_without_root(host: Host) -> None:
    host.allow_sudo(allowed=False)
    installed = host.install().checked()
    assert {step["name"] for step in installed.envelope["data"]["steps"] if step["actions"]} == {
        "launch",
        "monitor",
    }
    host.connect()
    host.await_page()
    host.disconnect()


def test_a_later_run_needs_no_root_and_changes_nothing(host: Host) -> None:
    before, started = settled(lambda: tree(host)), host.started()
    again = host.install()
    assert (again.code, again.envelope["data"]["actions"]) == (0, 0), again.describe()
    assert tree(host) == before
    assert host.started() == started


def remote_address(host: Host) -> str:
    """Where the gateway sees its only device."""
    users = host.server.run(
        KIND.engine_command("exec", "mstunnel-server", "occtl", "--json", "show", "users")
    )
    (user,) = json.loads(users.stdout)
    return str(user["Remote IP"])


def serves(host: Host) -> bool:
    """Whether a device connects through the kernel alone, is seen under its own address, and gets a page."""
    inspect = KIND.engine_command("inspect", "--format={{.HostConfig.NetworkMode}}", "mstunnel-server")
    assert host.server.run(inspect).stdout == "none\n"
    host.connect()
    host.await_page()
    seen = remote_address(host)
    host.disconnect()
    return seen == "10.90.0.20"


def test_no_packet_of_a_device_passes_a_program(host: Host) -> None:
    assert serves(host)


def test_the_network_survives_restarts_of_container_and_host(host: Host) -> None:
    host.kill_containers()
    host.wait_until_healthy()
    assert serves(host)
    host.testbed.restart_server()
    host.wait_until_healthy()
    assert serves(host)


@pytest.mark.parametrize("how", ["start", "reload", "restart"])
def test_the_rules_survive_those_of_the_host(host: Host, how: str) -> None:
    """nftables.service flushes all rules when it loads the host's own."""
    host.server.run(["systemctl", how, "nftables.service"])
    host.server.shell("until nft list table inet mstunnel-uplink; do sleep 0.2; done", timeout=20)
    assert serves(host)


def test_the_status_names_the_uplink(host: Host) -> None:
    status = host.as_account("mst-cli", "status", "--output", "json")
    assert status.envelope["data"]["network"] == "uplink"


@pytest.mark.parametrize("before", [(), AS_ACCOUNT], ids=["root", ACCOUNT])
def test_a_device_is_recorded_until_it_disconnects(host: Host, before: tuple[str, ...]) -> None:
    """Root hands over to the account, which may enter the network of its container."""
    host.connect()
    file = f"/home/{ACCOUNT}/device.pcap"
    host.server.start([*before, "mst-cli", "server", "capture", host.client_address(), file, "--seconds=600"])
    begun = f"find /home/{ACCOUNT} -maxdepth 1 -name '.device.pcap.*' -size +1 | grep ."
    assert eventually(
        lambda: host.fetch_internal_page().stdout and not host.server.shell(begun, check=False).code, 60
    )
    host.disconnect()
    assert eventually(lambda: not host.server.run(["test", "-e", file], check=False).code, 60)
    assert INTRANET_PAGE.encode() in b64decode(host.server.run(["base64", file]).stdout)
    host.server.run(["rm", file])


def test_root_sees_what_the_agent_measures(host: Host) -> None:
    assert eventually(lambda: "mstunnel_" in host.server.run(["mst-cli", "metrics"]).stdout, 120)


def test_root_and_the_account_see_the_same_gateway(host: Host) -> None:
    for found in (
        host.as_account("mst-cli", "server", "status"),
        host.server.run(["mst-cli", "server", "status"]),
    ):
        assert (found.code, found.stdout) == (0, "State: running\nHealth: healthy\n"), found.describe()
    for found in (
        host.as_account("mst-cli", "server", "logs"),
        host.server.run(["mst-cli", "server", "logs"]),
    ):
        assert "listening" in found.stdout + found.stderr
    ready = host.as_account("mst-readiness", "rootless", "--output", "json").envelope
    assert ready["errors"] == []


def test_gateway_files_belong_to_an_unprivileged_account(host: Host) -> None:
    """To it or to one of its subordinate ids, which the containers have; none is of root."""
    first, count = host.server.shell(f"grep ^{ACCOUNT}: /etc/subuid").stdout.strip().split(":")[1:]
    account = host.server.run(["id", "-u", ACCOUNT]).stdout.strip()
    owners = set(host.server.run(["find", "/etc/mstunnel", "-printf", "%U\\n"]).stdout.split())
    assert account in owners
    assert all(int(first) <= int(owner) < int(first) + int(count) for owner in owners - {account}), owners
    assert host.server.run(["id", "-nG", ACCOUNT]).stdout.split() == [ACCOUNT, "systemd-journal"]


def test_other_accounts_and_the_other_mode_are_refused(host: Host) -> None:
    nobody = host.program(
        "runuser", "-u", "nobody", "--", "mst-cli", "status", "--output", "json", check=False
    )
    assert (nobody.code, nobody.error) == (3, "not-root")
    host.write_answers({"mode": "rootful"})
    rootful = host.setup(check=False)
    assert (rootful.code, rootful.error) == (2, "mode-installed")
    host.write_answers({"account": "other"})
    other = host.setup(check=False)
    assert (other.code, other.error) == (2, "account-installed")
    host.write_answers({})


def test_backup_is_restored_on_a_host_that_root_prepared(host: Host) -> None:
    backup = f"/home/{ACCOUNT}/backup.tar.gz"
    restore = (
        *("env", "MSTUNNEL_ACCEPT_EULA=1", "mst-cli", "restore", backup),
        *("--replace", "--trust-backup", "--unattended"),
    )
    host.as_account("mst-cli", "backup", backup).checked()
    host.allow_sudo(allowed=True)
    host.as_account("mst-cli", "uninstall", "--offline", "--unattended").checked()
    host.allow_sudo(allowed=False)
    too_early = host.as_account(*restore, "--output", "json")
    assert (too_early.code, too_early.error) == (2, "backup-rootless"), too_early.describe()

    host.setup("host", "--account", ACCOUNT)
    host.program(*restore, "--output", "json")
    host.server.run(["rm", backup])
    assert len(host.tenant()["servers"]) == 1
    host.wait_until_healthy()
    assert serves(host)


def test_uninstall_by_the_account_leaves_it_as_it_was(host: Host) -> None:
    uninstall = ("mst-cli", "uninstall", "--unattended", "--output", "json")
    scope = host.as_account(*uninstall)
    assert (scope.code, scope.error) == (11, "root-needed"), scope.describe()
    assert f"host --account {ACCOUNT} --remove" in scope.hint
    assert host.tenant() == host.tenant_before

    host.allow_sudo(allowed=True)
    host.as_account(*uninstall).checked()
    host.allow_sudo(allowed=False)
    host.restore()
    assert tree(host) == host.before
    left = host.server.shell(
        "nft list tables; ip -oneline link; ls -d /run/mstunnel-uplink /run/user/*/mstunnel*", check=False
    )
    assert "mstunnel" not in left.stdout
    assert home(host) == host.home_before


def test_documented_command_works_for_a_user_with_sudo(host: Host) -> None:
    """The user's own copy of the program, as it was downloaded: group-writable where umask is 002."""
    home, sudoers = f"/home/{ACCOUNT}", f"{ACCOUNT} ALL=(ALL) NOPASSWD: ALL\n"
    copy = f"install -m 775 -o {ACCOUNT} -g {ACCOUNT} /opt/copied/mstunnel-setup {home}/mstunnel-setup"
    host.server.shell(copy)
    command = f"cd && mst_rootless_mode=1 ./mstunnel-setup --answers {host.path('answers.yaml')} --unattended"
    host.write_answers({"mode": None})

    refused = host.as_account("sh", "-c", f"{command} --output json")
    assert (refused.code, refused.error) == (11, "root-needed"), refused.describe()
    by_hand = f"sudo /usr/sbin/mstunnel-setup host --account {ACCOUNT} --accept-eula"
    assert "An administrator's own copy of this program belongs in /usr/sbin." in refused.hint
    assert by_hand in refused.hint

    host.server.write(SUDOERS, sudoers, 0o440)
    host.as_account("sh", "-c", command).checked()
    host.wait_until_healthy()
    assert serves(host)

    host.as_account("mst-cli", "uninstall", "--unattended").checked()
    assert host.failed_units() == host.failed_before
    assert host.tenant() == host.tenant_before
    host.allow_sudo(allowed=False)
    host.restore()
