"""What an installation refuses: how it says so, and that nothing is left half done.

Every case is the whole command on a whole host. After it the host is as before, if need be by way of
`mstunnel-setup rollback`, and so is the tenant; the good answer file installs at the end of the module.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.e2e.arrangements import (
    PASSPHRASE,
    Change,
    another_key,
    answers,
    encrypted_key,
    foreign_root,
    issued,
    pfx,
    run,
    shell,
    tenant,
    unknown_digest,
)
from tests.parameters import sample
from tests.testbed.host_tree import host_tree
from tests.testbed.installation import ADMINISTRATOR, ANSWERS, PUBLIC_ADDRESS, Installation
from tests.testbed.machine import Entry
from tests.testbed.paths import JOURNAL
from tests.testbed.process import Completed
from tests.testbed.testbed import DOMAIN

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Refusal:
    """`arrange` prepares the fault, `fix` removes it; `said` are parts of message and hint."""

    code: int
    error: str
    said: tuple[str, ...]
    arrange: Change = lambda _host: None
    fix: Change = lambda _host: None
    user: str = ADMINISTRATOR
    command: tuple[str, ...] = ()


@pytest.fixture(scope="module", autouse=True)
def stocked(prepared: Installation) -> Iterator[None]:
    """Both images are preloaded, so that no case waits for a download."""
    references = [prepared.references["gateway"], prepared.references["agent"]]
    for reference in references:
        prepared.server.run(["podman", "pull", "--quiet", reference], timeout=120)
    yield
    prepared.server.run(["podman", "rmi", *references])


@pytest.fixture
def host(prepared: Installation) -> Iterator[Installation]:
    """A server without a gateway; tests here undo what they did, unless they fail."""
    prepared.restore()
    yield prepared
    if prepared.server.run(["test", "-e", JOURNAL], check=False).code == 0:
        prepared.uninstall()


@dataclass(frozen=True)
class State:
    """What must be as before: the server but for what the administrator brought to /root, and the tenant."""

    tree: Mapping[str, Entry]
    tenant: Mapping[str, Any]


def state(host: Installation) -> State:
    tree = host_tree(host)
    return State({path: tree[path] for path in tree if not path.startswith("/root/")}, host.tenant())


@pytest.fixture(scope="module")
def untouched(prepared: Installation) -> State:
    """The state before anything was tried."""
    return state(prepared)


def nobody(*command: str) -> tuple[str, ...]:
    return ("runuser", "-u", "nobody", "--", *command)


FILE = "/root/answers.yaml"
APPLICATION = "11111111-2222-3333-4444-555555555555"
SECRET = "hunter2hunter2"
SETUP = ("mstunnel-setup", "--answers", ANSWERS, "--unattended", "--output", "json")
BREAK_PODMAN = "mv /usr/bin/podman /usr/bin/podman.away"
RESTORE_PODMAN = "mv /usr/bin/podman.away /usr/bin/podman"
LISTEN = "systemd-run --quiet --unit=squatter python3 -m http.server 443"


def full(path: str) -> Refusal:
    """A file system without a single free block: a separate file below the directory sees to that."""
    mount = f"mkdir -p {path} && mount -t tmpfs -o size=16k,mode=755 tmpfs {path}"
    fill = f"{mount} && ! dd if=/dev/zero of={path}/filling 2>&1"
    return Refusal(10, "disk-full", (path,), shell(fill), shell(f"umount {path} && rmdir {path}"))


BEFORE_ANY_STEP = {
    "unknown key": Refusal(2, "answers-invalid", (f"{FILE}:", "sit", "site"), answers(sit="Testbed")),
    "secret in the file": Refusal(
        2,
        "answers-invalid",
        ("client_secret", "file:/path"),
        answers(sign_in={"method": "client-secret", "client_id": APPLICATION, "client_secret": SECRET}),
    ),
    "terms neither accepted nor declined": Refusal(
        2, "answers-missing", ("`eula`", "--accept-eula"), answers(eula=None)
    ),
    "terms declined": Refusal(2, "answers-invalid", ("eula", "accept"), answers(eula="decline")),
    "no answer file": Refusal(2, "answers-unreadable", (FILE,), run("rm", FILE)),
    "pam": Refusal(2, "answers-invalid", ("authentication", "oidc"), answers(authentication="pam")),
    "Docker without root": Refusal(
        2, "rootless-needs-podman", ("--engine docker",), answers(mode="rootless", engine="docker")
    ),
    "user without the role": Refusal(
        5, "role-missing", ("reader@", "Intune Administrator"), user=f"reader@{DOMAIN}"
    ),
    "account without a licence": Refusal(
        5, "licence-missing", ("Intune licence", "assign one"), user=f"unlicensed@{DOMAIN}"
    ),
    "no such site": Refusal(6, "site-unknown", ("Atlantis", "Elsewhere, Testbed"), answers(site="Atlantis")),
    "certificate of another name": Refusal(
        4, "name-mismatch", (PUBLIC_ADDRESS, f"other.{DOMAIN}"), issued(f"other.{DOMAIN}")
    ),
    "not root": Refusal(3, "answers-forbidden", ("sudo",), command=nobody(*SETUP)),
}
BEFORE_THE_TENANT = {
    "no file of roots": Refusal(
        2, "ca-file-missing", ("/root/nowhere.pem", "--ca-file"), tenant(ca_file="/root/nowhere.pem")
    ),
    "no certificate": Refusal(
        11, "certificate-awaited", ("/root/chain.pem", "/root/key.pem"), run("rm", "/root/chain.pem")
    ),
    "another key": Refusal(4, "key-mismatch", ("key",), another_key),
    "encrypted key": Refusal(4, "key-encrypted", ("openssl",), encrypted_key),
    "expired certificate": Refusal(4, "expired", ("expired on", "Renew"), issued(PUBLIC_ADDRESS, -1)),
    "wrong passphrase": Refusal(4, "pfx-passphrase-wrong", ("passphrase",), pfx(b"incorrect horse")),
    "no Podman": Refusal(
        3, "engine-present", ("neither Podman nor Docker",), shell(BREAK_PODMAN), shell(RESTORE_PODMAN)
    ),
    "Podman does not start": Refusal(
        3,
        "engine-running",
        ("podman does not answer",),
        shell(f"{BREAK_PODMAN} && cp /bin/false /usr/bin/podman"),
        shell(RESTORE_PODMAN),
    ),
    "disk full below /var/lib": full("/var/lib/mstunnel"),
    "disk full below /etc": full("/etc/mstunnel"),
    "tenant with another certificate": Refusal(8, "tls-untrusted", ("--ca-file",), foreign_root),
    "proxy that is not there": Refusal(
        3,
        "proxy-connects",
        ("127.0.0.1:9", "https_proxy"),
        command=("env", "https_proxy=http://127.0.0.1:9", *SETUP),
    ),
    "a setting that the gateway does not take": Refusal(
        6,
        "configuration-invalid",
        ("mtu", "576"),
        lambda host: host.change_configuration({"advancedSettings": [{"name": "mtu", "value": "abc"}]}),
        lambda host: host.change_configuration({"advancedSettings": []}),
    ),
    "port in use": Refusal(
        3, "port-tcp", ("443", "python3"), shell(LISTEN), shell("systemctl stop squatter.service")
    ),
}
# Each of these takes a quarter of a minute; `make e2e` has them all.
LONG = {
    *("no file of roots", "disk full below /etc", "tenant with another certificate"),
    *("proxy that is not there", "a setting that the gateway does not take"),
    # The judgement of certificates, engines and answers has unit tests; one of each kind stays.
    *("another key", "encrypted key", "expired certificate", "wrong passphrase"),
    "Podman does not start",
}
AFTER_REGISTRATION = {
    "port in use, which the checks ignore": Refusal(
        3,
        "port-in-use",
        ("443", "python3"),
        shell(LISTEN),
        shell("systemctl stop squatter.service"),
        command=(*SETUP, "--ignore-check", "port-tcp"),
    ),
    "no answer from the engine": Refusal(
        7,
        "engine-not-running",
        ("unix:///run/nowhere.sock", "CONTAINER_HOST"),
        command=("env", "CONTAINER_HOST=unix:///run/nowhere.sock", *SETUP),
    ),
    "no such image": Refusal(7, "image-pull-failed", ("0" * 64, "digest"), unknown_digest),
}


def refused(host: Installation, case: Refusal) -> Mapping[str, Any]:
    """Run the case; the envelope, after everything has been looked at that is the same in all cases."""
    finished = host.program(*(case.command or SETUP), check=False, user=case.user)
    envelope = finished.envelope
    (error,) = envelope["errors"]
    assert (finished.code, error["code"]) == (case.code, case.error), finished.describe()
    text = f"{error['message']}\n{error['hint']}"
    assert [part for part in case.said if part not in text] == [], text
    assert error["hint"]
    assert envelope["status"] == "error"
    assert "Traceback" not in finished.stderr
    return envelope


def test_wrong_answers_are_refused_before_anything_is_done(
    host: Installation, untouched: State, subtests: pytest.Subtests
) -> None:
    for name, case in BEFORE_ANY_STEP.items():
        with subtests.test(name):
            host.restore()
            case.arrange(host)
            refused(host, case)
    assert state(host) == untouched


@pytest.mark.parametrize("name", sample(BEFORE_THE_TENANT, kept=set(BEFORE_THE_TENANT) - LONG))
def test_a_change_refused_midway_is_rolled_back(host: Installation, untouched: State, name: str) -> None:
    case = BEFORE_THE_TENANT[name]
    case.arrange(host)
    try:
        refused(host, case)
        assert host.tenant() == untouched.tenant
    finally:
        case.fix(host)
    rolled_back(host)
    assert state(host) == untouched


def rolled_back(host: Installation) -> Completed:
    return host.program("mstunnel-setup", "rollback", "--unattended", "--output", "json")


@pytest.mark.parametrize("name", ["user without the role", "account without a licence"])
def test_plan_stops_where_the_account_lacks_rights(host: Installation, untouched: State, name: str) -> None:
    plan = ("mstunnel-setup", "plan", *SETUP[1:])
    envelope = refused(host, replace(BEFORE_ANY_STEP[name], command=plan))
    assert "plan" not in envelope["data"]
    assert state(host) == untouched


def test_the_position_of_an_unknown_key_is_reported(host: Installation) -> None:
    host.write_answers({"tenant": {**host.answers()["tenant"], "autority": "x"}})
    lines = host.server.read(FILE).splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "autority" in text)
    column = lines[line - 1].index("autority") + 1
    message = host.setup(check=False).message
    assert f"{FILE}:{line}:{column}: " in message
    assert "authority" in message.replace("autority", "")


def test_a_secret_in_the_answer_file_is_not_repeated(host: Installation) -> None:
    BEFORE_ANY_STEP["secret in the file"].arrange(host)
    finished = host.setup("--verbose", check=False)
    assert finished.code == 2
    assert SECRET not in finished.stdout + finished.stderr


@contextmanager
def waiting_run(host: Installation) -> Iterator[subprocess.Popen[bytes]]:
    """An installation that waits for its device code."""
    process = subprocess.Popen(
        host.server.argv(("mstunnel-setup", "--answers", ANSWERS, "--unattended")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    with process.stderr as stream:
        for line in stream:
            if b"Waiting" in line:
                break
        yield process
        host.server.run(["sh", "-c", f"kill -INT {holder(host)['pid']}"])
        rest = stream.read().decode()
    assert process.wait(20) == 130, rest
    assert "Run the same command again to continue." in rest


def holder(host: Installation) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(host.server.read("/run/mstunnel-setup.lock"))
    return found


def test_two_runs_at_once(host: Installation, untouched: State) -> None:
    with waiting_run(host):
        during = host_tree(host)
        error = refused(host, Refusal(9, "locked", ("another run is in progress",)))["errors"][0]
        assert f"process {holder(host)['pid']}," in error["message"]
        assert f"--answers {ANSWERS} --unattended" in error["message"]
        assert host.cli("uninstall", "--unattended", check=False).code == 9
        assert host_tree(host) == during
    rolled_back(host)
    assert state(host) == untouched


@pytest.mark.parametrize("name", sample(AFTER_REGISTRATION, kept={"port in use, which the checks ignore"}))
def test_a_change_refused_late_is_resumed_or_rolled_back(
    host: Installation, untouched: State, name: str
) -> None:
    case = AFTER_REGISTRATION[name]
    case.arrange(host)
    try:
        refused(host, case)
    finally:
        case.fix(host)
    assert len(host.tenant()["servers"]) == 1
    rolled_back(host)
    assert state(host) == untouched


@pytest.mark.long
def test_after_many_refusals_the_good_answers_install(host: Installation, untouched: State) -> None:
    names = ("expired certificate", "another key", "wrong passphrase", "no such image", "no such site")
    cases = BEFORE_ANY_STEP | BEFORE_THE_TENANT | AFTER_REGISTRATION
    for case in map(cases.__getitem__, names):
        host.restore()
        case.arrange(host)
        refused(host, case)
    pfx(PASSPHRASE)(host)
    case = AFTER_REGISTRATION["port in use, which the checks ignore"]
    case.arrange(host)
    try:
        refused(host, case)
    finally:
        case.fix(host)
    assert host.setup().envelope["status"] == "changed"
    assert len(host.tenant()["servers"]) == 1
    assert host.setup().envelope["status"] == "unchanged"
    host.uninstall()
    assert state(host) == untouched
