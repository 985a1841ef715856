"""The schemas are a contract: one for each command, one shared envelope, and all output validates."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.cli.framework.command import CommandGroup, Program
from mstunnel_setup.readiness import checks
from mstunnel_setup.readiness.model import CheckSeverity
from scripts.docs.command_tree import commands_of
from tests.cases import every
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.certificates.recipes import pfx_bytes
from tests.unit.cli.conftest import PROGRAMS as PROGRAMS_OF_PEOPLE
from tests.unit.cli.conftest import Ran
from tests.unit.schemas import ENVELOPE, SCHEMAS, schema_of, validate

# The monitor has no command with a JSON result.
PROGRAMS = {name: app for name, app in PROGRAMS_OF_PEOPLE.items() if name != "mstunnel_monitor"}


def _names(program: str, command: Any) -> Iterator[tuple[str, bool]]:
    """Return each command and group of a program, and whether it runs without a subcommand."""
    yield program, isinstance(command, Program) or not isinstance(command, CommandGroup)
    for name, child in commands_of(command).items():
        yield from _names(f"{program} {name}", child)


NAMES = dict(
    pair for program, app in PROGRAMS.items() for pair in _names(program, typer.main.get_command(app))
)
COMMANDS = [name for name, works in NAMES.items() if works]
GROUPS = [name for name, works in NAMES.items() if not works]


def test_every_command_has_a_schema_and_every_schema_a_command() -> None:
    files = {path.name for path in SCHEMAS.glob("*.json")} - {ENVELOPE}
    assert files == {f"{command.replace(' ', '-')}.json" for command in COMMANDS}


def test_every_schema_is_one_of_json_schema() -> None:
    for command in COMMANDS:
        jsonschema.Draft202012Validator.check_schema(schema_of(command))


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with a root directory for it alone; return its envelope after validation."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    root = tmp_path / "host"
    for name in ("etc", "run", "var/lib", "var/log"):
        (root / name).mkdir(parents=True)

    def work(line: str, *more: str, code: int = 0) -> dict[str, Any]:
        printed = ran(f"{line} --unattended --output json --root {root}", *more, code=code).out
        assert printed.count("\n") == 1
        envelope: dict[str, Any] = json.loads(printed)
        validate(envelope)
        return envelope

    return work


QUIET = {
    "mstunnel-setup steps": "ok",
    "mstunnel-setup status": "ok",
    "mstunnel-setup rollback": "unchanged",
    "mstunnel-setup answers new": "ok",
    "mstunnel-setup answers schema": "ok",
    "mstunnel-setup answers show": "ok",
    "mst-cli eula": "ok",
    "mst-cli help": "ok",
    "mst-cli metrics": "warning",
    "mst-cli help upgrades": "ok",
    "mst-readiness explain clock": "ok",
    "mst-cli uninstall": "unchanged",
    "mst-admin schema": "ok",
    "mst-admin profile schema": "ok",
    "mst-admin app schema": "ok",
    "mst-admin mam schema": "ok",
    "mst-admin app-config schema": "ok",
    "mst-admin proxy-exclusions check *.contoso.com": "ok",
}


@pytest.mark.parametrize("command", QUIET)
def test_on_a_bare_host(run: Run, command: str) -> None:
    envelope = run(command)
    assert command.startswith(envelope["command"])
    assert envelope["status"] == QUIET[command]


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_version(run: Run, ran: Ran, program: str) -> None:
    """The version uses the envelope, at any position of `--output json`."""
    envelope = run(f"{program} --version")
    assert (envelope["command"], envelope["data"]) == (program, {"version": __version__})
    assert run(program, "--version") == envelope
    assert ran(f"{program} --version").out == f"{program} {__version__}\n"


@pytest.mark.parametrize(
    "command",
    ["mstunnel-setup", "mstunnel-setup rollback", "mstunnel-setup step kernel", "mst-cli uninstall"],
)
def test_a_directory_that_is_no_host_is_refused_and_left_alone(
    run: Run, tmp_path: Path, command: str
) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()

    envelope = run(command, "--root", str(directory), code=2)

    assert [error["code"] for error in envelope["errors"]] == ["root-no-host"]
    assert "/etc, /run, /var is missing" in envelope["errors"][0]["message"]
    assert list(directory.iterdir()) == []


# These commands of `mst-cli` need a gateway.
NOT_INSTALLED = (
    *("status", "health", "explain nobody", "server start", "agent logs", "server show users"),
    *("server show user nobody", "server report", "server disconnect user nobody", "upgrade check"),
    *("import_cert", "import_cert --list", "cert show", "cert check", "cert repair", "ca-trust list"),
    *("env check", "env get", "env unset TRACE_SESSIONS", "config show", "config diff", "config pull"),
    *(
        "log level",
        "log level 3",
        "site show",
        "site change Berlin",
        "reenroll",
        "backup b.tar.gz",
        "journal repair",
    ),
)
REFUSED = {
    **dict.fromkeys((f"mst-cli {words}" for words in NOT_INSTALLED), (3, "not-installed")),
    "mstunnel-setup": (2, "answers-missing"),
    "mstunnel-setup plan": (2, "answers-missing"),
    "mstunnel-setup --ignore-check port-tpc": (2, "check-unknown"),
    "mstunnel-setup plan --ignore-check port-tpc": (2, "check-unknown"),
    "mstunnel-setup plan --ignore-check port-in-use": (2, "answers-missing"),
    "mstunnel-setup step images": (2, "answers-missing"),
    "mstunnel-setup render quadlet": (2, "answers-missing"),
    "mstunnel-setup render kubernetes": (2, "answers-missing"),
    "mstunnel-setup step nonsense": (2, "step-unknown"),
    "mstunnel-setup answers check": (2, "answer-file-missing"),
    "mstunnel-setup self verify": (2, "not-one-file"),
    "mstunnel-setup self licences": (2, "licenses-not-bundled"),
    "mst-cli": (2, "command-missing"),
    "mst-cli install": (2, "answers-missing"),
    "mst-cli help nonsense": (2, "topic-unknown"),
    "mst-readiness explain nonsense": (2, "check-unknown"),
    "mst-readiness explain": (2, "usage-invalid"),
    "mst-readiness nonsense": (2, "usage-invalid"),
    "mst-cli explain nobody --token-file /nowhere": (2, "file-missing"),
    "mst-cli metrics --listen 0.0.0.0:1": (2, "listen-address-refused"),
    "mst-cli server report --since yesterday": (2, "since-invalid"),
    "mst-cli server show nonsense": (2, "show-unknown"),
    "mst-cli server unban ip nowhere": (2, "address-invalid"),
    "mst-cli env set 1BAD value": (2, "setting-name-invalid"),
    "mst-cli env set TRACE_SESSIONS 3": (2, "trace-sessions-invalid"),
    "mst-cli env set DEBUG_LEVEL high": (2, "debug-level-invalid"),
    "mst-cli env set https_proxy foo": (2, "proxy-invalid"),
    "mst-cli log level 9": (2, "log-level-invalid"),
    "mst-cli import_cert delay x": (2, "delay-unclear"),
    "mst-cli restore nowhere.tar.gz": (2, "file-missing"),
    "mst-cli diagnose /etc/passwd": (2, "file-exists"),
    "mst-cli server capture eth0 /etc/passwd": (2, "file-exists"),
    "mst-admin config list --token-file /nowhere": (5, "token-missing"),
    "mst-admin config list --token-file /": (2, "path-not-regular"),
    "mst-admin config list --token-file /nowhere --ca-file /nowhere": (2, "ca-file-missing"),
    "mst-admin server create": (2, "server-not-installed"),
    "mst-admin apply nowhere": (2, "declarations-missing"),
    "mst-admin proxy-exclusions check contoso.*": (2, "exclusion-malformed"),
    "mstunnel-lab serve --dir /proc/nowhere": (2, "lab-directory"),
    "mstunnel-lab serve --port 65536": (2, "lab-port-invalid"),
    "mstunnel-lab serve --cloud 9": (2, "lab-cloud"),
    "mstunnel-lab serve --host a..b": (2, "lab-host"),
    "mstunnel-lab serve --port high": (2, "usage-invalid"),
    "mstunnel-lab approve ABC --user nobody --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab token --user nobody --out token --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab token --user nobody": (2, "usage-invalid"),
    "mstunnel-lab fault --delay inf": (2, "usage-invalid"),
    "mstunnel-lab fault --delay nan": (2, "usage-invalid"),
    "mstunnel-lab fault --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab report gw1 health.json --dir /nowhere": (2, "lab-report-invalid"),
    "mstunnel-lab user nobody --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab approvals --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab decide ABC approved --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab decide ABC perhaps": (2, "usage-invalid"),
    "mstunnel-lab protect sites --dir /nowhere": (8, "lab-not-running"),
    "mstunnel-lab rotate-keys --dir /nowhere": (8, "lab-not-running"),
}


def test_a_lab_without_its_packages_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # Modules of the lab that another test has loaded are hidden as well.
    loaded = [name for name in sys.modules if f"{name}.".startswith("mstunnel_lab.")]
    for name in {"mstunnel_lab", *loaded}:
        monkeypatch.setitem(sys.modules, name, None)
    (error,) = run("mstunnel-lab rotate-keys", code=2)["errors"]
    assert (error["code"], "WHEEL[lab]" in error["hint"]) == ("lab-not-installed", True)


@every("line", REFUSED)
def test_refused_on_a_bare_host(run: Run, line: str) -> None:
    code, error = REFUSED[line]
    envelope = run(line, code=code)
    assert (envelope["status"], envelope["errors"][0]["code"]) == ("error", error)


def test_an_installation_that_has_begun(run: Run, tmp_path: Path) -> None:
    begun = run("mstunnel-setup step eula --accept-eula")
    assert begun["status"] == "changed"
    assert begun["data"]["actions"] == 4
    assert run("mstunnel-setup step eula")["status"] == "unchanged"
    run("mstunnel-setup step environment")

    stopped = run("mstunnel-setup step certificate", code=11)
    assert stopped["errors"][0]["code"] == "certificate-awaited"
    data = run("mstunnel-setup status")["data"]
    assert (data["installed"], data["done"], data["next"]) == (False, ["eula", "environment"], "certificate")
    assert data["stopped"]["code"] == "certificate-awaited"

    (tmp_path / "host/etc/mstunnel/mine").write_text("")
    removed = run("mstunnel-setup rollback")
    assert removed["status"] == "changed"
    assert {item["outcome"] for item in removed["data"]["objects"]} == {"removed", "restored", "kept"}
    assert removed["warnings"][0]["code"] == "kept"


@pytest.mark.parametrize("scope", ["utils", "host", "rootless", "certificate"])
def test_readiness(run: Run, scope: str) -> None:
    """A bare root has problems of every kind; the output is valid for all of them."""
    ignored = [item.id for item in checks.CHECKS if item.severity is CheckSeverity.REQUIRED]
    options = [f"--ignore-check={name}" for name in ignored]
    envelope = run(f"mst-readiness {scope}", *options, "--fix" if scope == "utils" else "--verbose")
    assert envelope["data"]["scope"] == scope
    assert {item["group"] for item in envelope["data"]["findings"]} == {scope}
    assert ("platforms" in envelope["data"]) == (scope == "host")


def test_readiness_refuses_what_fails(run: Run) -> None:
    envelope = run("mst-readiness utils", code=3)
    assert "tun-device" in {item["code"] for item in envelope["errors"]}
    assert run("mst-readiness utils --ignore-check nonsense", code=2)["errors"][0]["code"] == "check-unknown"


@pytest.mark.parametrize("option", [["--answers"], []], ids=["by option", "by name"])
def test_answers_and_where_they_came_from(run: Run, tmp_path: Path, option: list[str]) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(
        "version: 1\nsign_in:\n    client_secret: env:SECRET\n    method: client-secret\n"
        "    client_id: 11111111-2222-3333-4444-555555555555\n"
    )
    assert run("mstunnel-setup answers check", *option, str(file))["status"] == "ok"
    shown = run("mstunnel-setup answers show", *option, str(file), "--site", "Berlin")["data"]
    assert shown["site"] == {"value": "Berlin", "origin": "option", "source": "--site"}
    assert shown["sign_in.client_secret"]["value"] == "env:SECRET"
    assert shown["sign_in.client_secret"]["source"] == f"{file}:3:20"
    assert shown["tenant.cloud"]["origin"] == "default"


def _valid_now() -> Pki:
    """Return certificates valid at the real time; other tests use a fixed time."""
    return Pki({"leaf": {"issuer": "leaf", "start": -10, "days": 700}, "root": {"start": -10, "days": 700}})


def _only_a_pfx_is_left(host: Path, pki: Pki) -> None:
    """Delete the usual PEM files and damage the certificate generation."""
    for path in (paths.SITE_CERTIFICATE, paths.SITE_KEY, f"{paths.ACTIVE}/key.pem"):
        (host / path.lstrip("/")).unlink()
    pfx = host / paths.SITE_PFX.lstrip("/")
    pfx.write_bytes(pfx_bytes({"chain": ["leaf"], "passphrase": ""}, pki))
    pfx.chmod(0o600)


def test_a_certificate_in_use(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pki = _valid_now()
    run("mstunnel-setup step eula --accept-eula")
    run("mstunnel-setup step environment")
    host = tmp_path / "host"
    (host / paths.SITE_CERTIFICATE.lstrip("/")).write_bytes(pki.pem("leaf"))
    key = host / paths.SITE_KEY.lstrip("/")
    key.write_bytes(key_bytes(pki.key_name("leaf")))
    key.chmod(0o600)
    lab = {"CLOUD": "custom", "AUTHORITY": "https://lab.example.com", "GRAPH": "https://lab.example.com"}
    for name, value in lab.items():
        monkeypatch.setenv(f"MSTUNNEL_TENANT_{name}", value)
    assert run("mstunnel-setup step certificate")["status"] == "changed"
    assert run("mst-cli cert show")["data"]["chain"]
    assert run("mst-cli import_cert")["status"] == "unchanged"
    assert run("mst-cli import_cert --list")["data"] == {"pending": []}
    assert run("mst-cli cert repair")["status"] == "unchanged"
    key.chmod(0o644)
    assert run("mst-cli cert repair")["status"] == "changed"
    assert key.stat().st_mode & 0o777 == 0o600
    _only_a_pfx_is_left(host, pki)
    repaired = run("mst-cli cert repair")
    assert (repaired["status"], repaired["data"]["from"]) == ("changed", paths.SITE_PFX)
    assert run("mst-cli ca-trust list")["data"] == {"roots": []}
    der = host / paths.CA_TRUST.lstrip("/") / "mine.crt"
    der.write_bytes(pki.der("root"))
    assert [item["code"] for item in run("mst-cli ca-trust list")["warnings"]] == ["root-not-pem"]
    # The certificate's authority is written as PEM beside it, which the gateway can use.
    assert len(run("mst-cli ca-trust add", str(der))["data"]["added"]) == 1
    assert run("mst-cli ca-trust add", str(der))["status"] == "unchanged"


@every("command", COMMANDS)
def test_usage_error_uses_the_envelope_of_the_command(run: Run, command: str) -> None:
    envelope = run(command, "--nonsense", code=2)
    assert (envelope["command"], envelope["errors"][0]["code"]) == (command, "usage-invalid")


@every("group", GROUPS)
def test_bare_group_answers_as_the_program(run: Run, group: str) -> None:
    for more in ([], ["--nonsense"]):
        envelope = run(group, *more, code=2)
        assert envelope["command"] == group.partition(" ")[0]
        assert envelope["errors"][0]["hint"] == f"See `{group} --help`."


def test_either_spelling_is_the_same_command(run: Run) -> None:
    for more, error, code in (([], "not-installed", 3), (["--nonsense"], "usage-invalid", 2)):
        envelope = run("mst-cli import-cert", *more, code=code)
        assert (envelope["command"], envelope["errors"][0]["code"]) == ("mst-cli import_cert", error)


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "schema": lambda envelope: envelope.update(schema="mstunnel/2"),
    "command": lambda envelope: envelope.update(command="mstunnel-setup steps"),
    "status": lambda envelope: envelope.update(status="fine"),
    "no warnings": lambda envelope: envelope.pop("warnings"),
    "one more key": lambda envelope: envelope.update(more=1),
    "error without errors": lambda envelope: envelope.update(status="error"),
    "errors without error": lambda envelope: envelope.update(
        errors=[{"code": "a", "message": "", "hint": ""}]
    ),
    "code in capitals": lambda envelope: envelope.update(
        warnings=[{"code": "A_B", "message": "", "hint": ""}]
    ),
    "field of the wrong type": lambda envelope: envelope["data"].update(installed="no"),
    "field missing": lambda envelope: envelope["data"].pop("next"),
    "field that is new": lambda envelope: envelope["data"].update(colour="red"),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN)
def test_the_schemas_can_refuse(run: Run, spoil: Callable[[dict[str, Any]], object]) -> None:
    envelope = run("mstunnel-setup status")
    spoil(envelope)
    with pytest.raises(jsonschema.ValidationError):
        validate(envelope, "mstunnel-setup status")
