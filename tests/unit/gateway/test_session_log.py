"""The session record: one line of plain fields for any client name, and no extra process.

ocserv writes it (images/gateway/patches), or the script where there is an access log.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

SESSION_LOG = Path(__file__).parents[3] / "images/gateway/session-log"
PATCH = SESSION_LOG.with_name("patches") / "04-session-records.patch"
# These are the parts of ocserv that the functions use: a session of zero seconds from 192.0.2.7.
_AROUND = """
#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
typedef enum script_type_t { SCRIPT_CONNECT, SCRIPT_DISCONNECT } script_type_t;
struct ip_lease_st { struct sockaddr_storage rip, lip; socklen_t rip_len, lip_len; };
struct proc_st {
    struct sockaddr_storage remote_addr, our_addr;
    socklen_t remote_addr_len, our_addr_len;
    struct ip_lease_st *ipv4, *ipv6;
    char *username, *hostname, *user_agent;
    uint64_t bytes_in, bytes_out;
    time_t conn_time;
};
PATCHED
static socklen_t at(struct sockaddr_storage *address, const char *text) {
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    in->sin_family = AF_INET;
    inet_pton(AF_INET, text, &in->sin_addr);
    return sizeof(*in);
}
int main(int count, char **words) {
    struct ip_lease_st lease = {0};
    struct proc_st proc = { .username = words[2], .hostname = words[3], .ipv4 = &lease };
    proc.user_agent = words[4];
    proc.bytes_in = 7;
    proc.bytes_out = 4294967296;
    proc.remote_addr_len = at(&proc.remote_addr, "192.0.2.7");
    proc.our_addr_len = at(&proc.our_addr, "198.51.100.1");
    lease.lip_len = at(&lease.lip, "169.254.0.1");
    lease.rip_len = at(&lease.rip, "169.254.0.9");
    log_session(&proc, strcmp(words[1], "connect") ? SCRIPT_DISCONNECT : SCRIPT_CONNECT);
    return 0;
}
"""
_SESSION = {
    "IP_REAL": "192.0.2.7",
    "IP_REAL_LOCAL": "198.51.100.1",
    "IP_LOCAL": "169.254.0.1",
    "IP_REMOTE": "169.254.0.9",
    "STATS_BYTES_IN": "7",
    "STATS_BYTES_OUT": "4294967296",
}
SHELLS = ("dash", "sh", "bash")
FIELDS = ("REASON", "IP_REAL", "IP_REAL_LOCAL", "IP_LOCAL", "IP_REMOTE", "USERNAME", "HOSTNAME", "USER_AGENT")
ENDED = ("STATS_BYTES_IN", "STATS_BYTES_OUT", "STATS_DURATION")
PLAIN = {name: f"{name.lower()} 1.0" for name in FIELDS}
# An environment variable can hold any bytes except NUL.
VALUES = st.lists(
    st.one_of(
        st.sampled_from(
            [b",", b"\n", b"\r", b"\t", b"\x7f", b"\\n", b"\\c", b"\\0101", b"%s", b"*", b"?", b"[", b"]"]
        ),
        st.sampled_from(
            [b"$(id)", b"`id`", b"'", b'"', b"-n", b"~", b"\xff", b"\xc2\x85", "é".encode(), b"a" * 150]
        ),
        st.binary(max_size=8).map(lambda raw: raw.replace(b"\0", b"")),
    ),
    max_size=8,
).map(b"".join)


def run(environment: Mapping[str, bytes], shell: str = "dash", script: str = str(SESSION_LOG)) -> bytes:
    """Return the output of the script with this environment, in which PATH finds no program."""
    argv = [f"/bin/{shell}", script]
    variables = {"PATH": "", **{name: os.fsdecode(value) for name, value in environment.items()}}
    done = subprocess.run(argv, env=variables, capture_output=True, check=True)
    assert done.stdout == b""
    return done.stderr


def cleaned(value: bytes) -> bytes:
    """Return a field as in docs/reference/logs.md: no commas or control characters, 200 bytes."""
    return re.sub(rb"[,\x00-\x1f\x7f]", b"", value)[:200]


@pytest.mark.parametrize("shell", SHELLS)
def test_one_line_with_all_fields_in_their_order(shell: str) -> None:
    environment = {name: value.encode() for name, value in PLAIN.items()}
    expected = ",".join(PLAIN[name] for name in FIELDS)
    assert run(environment, shell).decode() == f"OCSERV_TELEMETRY,{expected}\n"


def test_a_session_with_ipv6_alone_has_those_addresses() -> None:
    addresses = {"IPV6_LOCAL": b"fd00::1", "IPV6_REMOTE": b"fd00::9"}
    assert run({"REASON": b"connect", **addresses}) == b"OCSERV_TELEMETRY,connect,,,fd00::1,fd00::9,,,\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_at_the_end_of_a_session_also_what_it_carried(shell: str) -> None:
    environment = {"REASON": b"disconnect", "HOSTNAME": b""}
    environment |= {name: b"%d" % number for number, name in enumerate(ENDED)}
    assert run(environment, shell) == b"OCSERV_TELEMETRY,disconnect,,,,,,,,0,1,2\n"


@pytest.mark.parametrize("shell", SHELLS)
@given(values=st.lists(VALUES, min_size=8, max_size=8))
@example(
    values=[
        b"connect",
        b"",
        b"",
        b"",
        b"",
        b"evil\\nOCSERV_TELEMETRY,connect",
        b"\n",
        b"," * 300 + b"x" * 201,
    ]
)
def test_hostile_values_stay_in_their_fields(shell: str, values: list[bytes]) -> None:
    environment: dict[str, bytes] = dict(zip(FIELDS, values, strict=True))
    more = [b"", b"", b""] if environment["REASON"] == b"disconnect" else []
    assert run(environment, shell) == b",".join([b"OCSERV_TELEMETRY", *map(cleaned, values), *more]) + b"\n"


@pytest.fixture(scope="module")
def ocserv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile a program around the functions of the patch that writes one session record."""
    added = "\n".join(line[1:] for line in PATCH.read_text().splitlines() if line[:1] in "+ ")
    begin, end = added.index("/* The script that writes"), added.index("static\nint call_script")
    source = tmp_path_factory.mktemp("patched") / "record.c"
    source.write_text(_AROUND.replace("PATCHED", added[begin:end]))
    program = source.with_suffix("")
    subprocess.run(["cc", "-o", str(program), str(source)], check=True, timeout=60)
    return program


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("reason", ["connect", "disconnect"])
@given(values=st.lists(VALUES, min_size=3, max_size=3))
@example(values=[b"a" * 200, b"," * 300 + b"x" * 201, b""])
def test_ocserv_writes_the_line_of_the_script(ocserv: Path, reason: str, values: list[bytes]) -> None:
    done = subprocess.run([ocserv, reason, *values], capture_output=True, check=True)
    named = dict(zip(("USERNAME", "HOSTNAME", "USER_AGENT"), values, strict=True))
    environment = named | {name: text.encode() for name, text in _SESSION.items()}
    assert done.stderr == run({**environment, "REASON": reason.encode()})


@pytest.mark.parametrize(("reason", "started"), [("connect", []), ("disconnect", ["conntrack", "conntrack"])])
def test_no_process_is_started_but_the_one_that_ends_connections(
    tmp_path: Path, reason: str, started: list[str]
) -> None:
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    script = tmp_path / "session-log"
    script.write_text(SESSION_LOG.read_text().replace("/run/mstunnel-sessions", str(sessions)))
    (tmp_path / "conntrack").symlink_to("/bin/true")
    trace = tmp_path / "trace"
    addresses = {
        "IP_REMOTE": "169.254.1.1",
        "IPV6_REMOTE": "fd00::1",
        "USERNAME": "user\\n",
        "HOSTNAME": "phone",
    }
    environment = {**PLAIN, **addresses, "REASON": reason, "PATH": str(tmp_path)}
    options = ["-f", "-e", "trace=process", "-e", "signal=none", "-o", str(trace)]
    settings = [f"--env={name}={value}" for name, value in environment.items()]
    command = ["/usr/bin/strace", *options, *settings, "/bin/dash", str(script)]
    subprocess.run(command, env={}, check=True, capture_output=True)
    calls = trace.read_text()
    assert re.findall(r'execve\("[^"]*/([^"/]+)"', calls) == ["dash", *started]
    assert len(re.findall(r"\b(?:v?fork|clone3?)\(", calls)) == len(started)
    if reason == "connect":
        assert {file.name: file.read_text() for file in sessions.iterdir()} == {
            "169.254.1.1": "user\\n,phone\n",
            "fd00::1": "user\\n,phone\n",
        }
