"""Every command that only looks, by whoever runs it: an answer or a refusal, never an internal error."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from scripts.docs.command_tree import commands_of
from tests.testbed import kinds
from tests.testbed.installation import Installation
from tests.testbed.process import Completed
from tests.unit.cli.conftest import PROGRAMS

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(900)]

# With the arguments of one call each.
LOOKING = {
    "mstunnel-setup plan": "--answers {directory}/answers.yaml",
    "mstunnel-setup steps": "",
    "mstunnel-setup status": "",
    "mstunnel-setup answers new": "",
    "mstunnel-setup answers check": "{directory}/answers.yaml",
    "mstunnel-setup answers schema": "",
    "mstunnel-setup answers show": "",
    "mstunnel-setup adopt inventory": "",
    "mstunnel-setup adopt plan": "",
    "mstunnel-setup render quadlet": "",
    "mstunnel-setup render kubernetes": "",
    "mstunnel-setup render helm": "",
    "mstunnel-setup self verify": "",
    "mstunnel-setup self licences": "",
    "mst-cli status": "",
    "mst-cli help": "upgrades",
    "mst-cli health": "",
    "mst-cli metrics": "",
    "mst-cli explain": "10.0.0.1",
    "mst-cli eula": "",
    "mst-cli version": "",
    "mst-cli diagnose": "",
    "mst-cli cert show": "",
    "mst-cli cert check": "",
    "mst-cli ca-trust list": "",
    "mst-cli upgrade check": "",
    "mst-cli upgrade history": "",
    "mst-cli agent status": "",
    "mst-cli agent logs": "",
    "mst-cli server status": "",
    "mst-cli server logs": "",
    "mst-cli server show": "status",
    "mst-cli server report": "",
    "mst-cli env get": "",
    "mst-cli env check": "",
    "mst-cli config show": "",
    "mst-cli log level": "",
    "mst-cli site show": "",
    "mst-readiness": "",
    "mst-readiness explain": "clock",
}
CHANGING = {
    *("mstunnel-setup", "mstunnel-setup step", "mstunnel-setup host", "mstunnel-setup rollback"),
    *("mstunnel-setup answers save", "mstunnel-setup adopt switch", "mstunnel-setup adopt rollback"),
    *("mstunnel-setup adopt commit", "mstunnel-setup self update", "mstunnel-setup self install"),
    *("mst-cli install", "mst-cli import_cert", "mst-cli uninstall", "mst-cli reenroll", "mst-cli backup"),
    *("mst-cli restore", "mst-cli cert repair", "mst-cli ca-trust add", "mst-cli ca-trust remove"),
    *("mst-cli upgrade apply", "mst-cli upgrade refresh", "mst-cli upgrade import"),
    *("mst-cli upgrade rollback", "mst-cli env set", "mst-cli env unset", "mst-cli site change"),
    *(f"mst-cli {part} {verb}" for part in ("agent", "server") for verb in ("start", "stop", "restart")),
    *("mst-cli server disconnect user", "mst-cli server disconnect id", "mst-cli server unban ip"),
    *("mst-cli server capture", "mst-cli journal repair"),
}
# They sign in to the tenant, which the tests of those commands do.
SIGNING_IN = {"mst-cli config diff", "mst-cli config pull"}
# What else a person asks; the groups of checks are one command.
MORE = (
    *(f"mst-readiness {group}" for group in ("utils", "host", "network", "certificate", "rootless")),
    *(f"{program} --version" for program in ("mstunnel-setup", "mst-cli", "mst-readiness")),
    *(f"{program} --help" for program in ("mstunnel-setup", "mst-cli", "mst-readiness")),
    *("mst-cli import_cert --list", "mstunnel-setup self update --check", "mst-cli help"),
    *("mst-cli health --output json", "mst-cli status --output json", "mst-readiness --output json"),
)
# Where the program is unpacked for everyone.
DATA = "find /usr/lib/mstunnel-setup -type d -path '*/mstunnel_setup/data'"
ARCHIVES = "/var/lib/mstunnel/images"
# One call each, so that a table takes no longer than its programs: exit code, and what was said.
LOOK = """
cd /
while read -r command; do
    printf '\\0%s\\0' "$command"
    timeout 120 $command 2>&1 </dev/null | tail -c 1500
    printf '\\0%s' "${PIPESTATUS[0]}"
done
"""


def test_each_command_either_looks_or_changes() -> None:
    def names(path: str, command: Any) -> Iterator[str]:
        children = commands_of(command)
        if not children or path == "mst-readiness":
            yield path
        for name, child in children.items():
            yield from names(f"{path} {name}", child)

    programs = ("mstunnel-setup", "mst-cli", "mst-readiness")
    found = {path for name in programs for path in names(name, typer.main.get_command(PROGRAMS[name]))}
    assert found | {"mstunnel-setup"} == {*LOOKING, *CHANGING, *SIGNING_IN}


@pytest.fixture(scope="module", params=[kinds.PODMAN, kinds.PODMAN_ROOTLESS], ids=lambda kind: kind.name)
def gateway(request: pytest.FixtureRequest) -> Iterator[Installation]:
    """A gateway of a release whose archive of images may lie where only root can look."""
    with Installation.booted(request.param) as made:
        made.setup()
        digests = {name: made.digest(name) for name in ("gateway", "agent")}
        own = {**digests, "archive": "mstunnel-images.tar", "registry": ""}
        data = made.server.shell(DATA).stdout.split()
        assert data
        for directory in data:
            made.server.write(f"{directory}/release-images.json", json.dumps(own))
        made.server.shell(f"install -d -m 700 {ARCHIVES}")
        yield made


@pytest.mark.parametrize("user", ["root", "nobody", "mstunnel"])
def test_looking_never_ends_with_an_internal_error(gateway: Installation, user: str) -> None:
    if user == "mstunnel" and not gateway.testbed.kind.account:
        gateway.server.run(["useradd", "--create-home", user])
    said = look(gateway, user)
    failed = [item for item in said if item.code in (1, 124) or "Traceback" in item.stdout]
    assert len(said) == len(LOOKING) + len(MORE)
    assert not failed, "\n\n".join(item.describe() for item in failed)
    checked = [item for item in said if item.argv[0].startswith("mst-readiness")]
    refused = [item for item in checked if item.code not in (0, 3)]
    assert not refused, "\n\n".join(item.describe() for item in refused)
    if user in ("root", gateway.testbed.kind.account):
        refused = [item for item in said if item.code not in (0, 2, 3)]
        assert not refused, "\n\n".join(item.describe() for item in refused)


def look(gateway: Installation, user: str) -> list[Completed]:
    """What every command says to `user`."""
    directory = gateway.testbed.kind.directory
    lines = [
        *(f"{command} {more}".strip().format(directory=directory) for command, more in LOOKING.items()),
        *MORE,
    ]
    script = ("bash", "-c", LOOK)
    as_user = () if user == "root" else ("runuser", "-u", user, "--", "env", "-u", "XDG_RUNTIME_DIR")
    found = gateway.server.run([*as_user, *script], stdin="\n".join([*lines, ""]), timeout=800).stdout
    parts = found.split("\0")[1:]
    return [
        Completed((command,), int(code), output, "", 0)
        for command, output, code in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]
