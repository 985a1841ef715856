"""The record of a session: whatever a client calls itself, one line of plain fields, and no process.

ocserv writes it (images/gateway/patches), or the script where there is an access log.
"""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

SESSION_LOG = Path(__file__).parents[3] / "images/gateway/session-log"
PATCH = SESSION_LOG.with_name("patches") / "04-session-records.patch"
SHELLS = ("dash", "sh", "bash")
FIELDS = ("REASON", "IP_REAL", "IP_REAL_LOCAL", "IP_LOCAL", "IP_REMOTE", "USERNAME", "HOSTNAME", "USER_AGENT")
ENDED = ("STATS_BYTES_IN", "STATS_BYTES_OUT", "STATS_DURATION")
PLAIN = {name: f"{name.lower()} 1.0" for name in FIELDS}
# What the environment of a process can hold: bytes without a NUL.
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
    """What the script writes with nothing but this in its environment: no program is to be found."""
    argv = [f"/bin/{shell}", script]
    variables = {"PATH": "", **{name: os.fsdecode(value) for name, value in environment.items()}}
    done = subprocess.run(argv, env=variables, capture_output=True, check=True)
    assert done.stdout == b""
    return done.stderr


def cleaned(value: bytes) -> bytes:
    """A field as docs/reference/logs.md has it: without commas and control characters, at most 200 bytes."""
    return re.sub(rb"[,\x00-\x1f\x7f]", b"", value)[:200]


@pytest.mark.parametrize("shell", SHELLS)
def test_one_line_with_all_fields_in_their_order(shell: str) -> None:
    environment = {name: value.encode() for name, value in PLAIN.items()}
    expected = ",".join(PLAIN[name] for name in FIELDS)
    assert run(environment, shell).decode() == f"OCSERV_TELEMETRY,{expected}\n"


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
def add_field(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], bytes]:
    """The function of the patch that makes a field."""
    added = "\n".join(line[1:] for line in PATCH.read_text().splitlines() if line[:1] == "+")
    begin, end = added.index("#define MAX_RECORD_FIELD"), added.index("static char *add_number")
    source = tmp_path_factory.mktemp("patched") / "field.c"
    source.write_text(added[begin:end].replace("static ", ""))
    library = source.with_suffix(".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True, timeout=60)
    function = ctypes.CDLL(str(library)).add_field
    function.restype = ctypes.c_void_p

    def called(value: bytes) -> bytes:
        buffer = ctypes.create_string_buffer(500)
        length = function(buffer, value) - ctypes.addressof(buffer)
        return buffer.raw[:length]

    return called


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@given(value=VALUES)
@example(value=b"a" * 200)
@example(value=b"," * 300 + b"x" * 201)
def test_ocserv_makes_a_field_as_the_script_does(add_field: Callable[[bytes], bytes], value: bytes) -> None:
    assert add_field(value) == b"," + cleaned(value)


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
