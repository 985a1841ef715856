"""Any printable value means the same to us, to the real systemd and its generator, and to ocserv."""

import json
import random
from itertools import pairwise

import pytest

from mstunnel_setup.containers.container_spec import ContainerSpec, HealthCheck
from mstunnel_setup.containers.quadlet import render as quadlet
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.env_file import render as setting
from mstunnel_setup.gateway.fields import NUMBERS, SWITCHES
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf
from tests.testbed.installation import Installation

pytestmark = pytest.mark.e2e

_SPECIAL = "'\"\\$`%~#;&|<>()*?[]{}=: ,-"
_ALPHABET = _SPECIAL * 3 + "aZ09é構\U0001f600«ß"
_ARGUMENTS = "#!/usr/bin/python3\nimport json, sys\njson.dump(sys.argv, open('/root/arguments.json', 'w'))\n"


def values(count: int, seed: int, *, refused: str = "") -> list[str]:
    """Printable texts, full of characters that are special in some format; none contains all of `refused`."""
    dice = random.Random(seed)
    found = ["", " ", "%n", "$HOME", "${HOME}", "$(id)", "\\", "a\\", '"', "#", ";", "~", "%%", "$$", "é"]
    while len(found) < count:
        found.append("".join(dice.choices(_ALPHABET, k=dice.randint(1, 24))))
    return [text for text in found if not refused or not set(refused) <= set(text)]


def test_systemd_reads_the_settings_as_they_were_written(prepared: Installation) -> None:
    """`env.sh` as `EnvironmentFile=`, read by the real systemd."""
    wanted = {f"N{number}": text for number, text in enumerate(values(300, 1, refused="'!"))}
    text = "".join(f"{setting(name, value)}\n" for name, value in wanted.items())
    prepared.server.write("/root/values.sh", text)
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    command = ["systemd-run", "--pipe", "--wait", "--quiet", "--property=EnvironmentFile=/root/values.sh"]
    read = json.loads(prepared.server.run([*command, "/usr/bin/python3", "-c", dump]).stdout)
    assert {name: read.get(name) for name in wanted} == wanted


def test_a_unit_starts_with_the_values_that_were_given(prepared: Installation) -> None:
    """Rendered by us, translated by Podman's generator, parsed and started by the real systemd."""
    server = prepared.server
    wanted = {f"n{number}": text for number, text in enumerate(values(60, 2))}
    spec = ContainerSpec(
        name="values",
        image="localhost/values@sha256:" + "0a" * 32,
        description="100% $HOME",
        labels=wanted,
        health=HealthCheck(command=("test", *wanted.values())),
    )
    server.write("/etc/containers/systemd/values.container", quadlet(spec))
    server.write("/root/arguments", _ARGUMENTS, 0o755)
    try:
        server.run(["systemctl", "daemon-reload"])
        unit = server.read("/run/systemd/generator/values.service")
        start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
        arguments = start.partition("/podman ")[2]
        service = f"[Service]\nType=oneshot\nExecStart=/root/arguments {arguments}\n"
        server.write("/etc/systemd/system/values-started.service", service)
        server.run(["systemctl", "daemon-reload"])
        server.run(["systemctl", "start", "values-started.service"])
        given = list(pairwise(json.loads(server.read("/root/arguments.json"))))
    finally:
        units = ["/etc/containers/systemd/values.container", "/etc/systemd/system/values-started.service"]
        server.run(["rm", "-f", *units])
        server.run(["systemctl", "daemon-reload"])
    labels = {value for option, value in given if option == "--label"}
    assert {f"{name}={text}" for name, text in wanted.items()} <= labels
    health = next(value for option, value in given if option == "--health-cmd")
    assert json.loads(health) == ["test", *wanted.values()]


def test_ocserv_takes_every_configuration_that_we_take(host: Installation) -> None:
    """The parser of the gateway's own ocserv, on configurations with every property and setting."""
    host.setup()
    dice = random.Random(3)
    directory = "/etc/mstunnel/values"
    for number in range(24):
        configuration = ServerConfiguration.from_wire(document(dice))
        host.server.write(f"{directory}/{number}.conf", ocserv_conf(configuration))
    each = "ocserv --test-config --config $file 2>&1 || echo refused $file"
    script = f"for file in {directory}/*.conf; do {each}; done"
    found = host.server.run(["podman", "exec", "mstunnel-server", "sh", "-c", script])
    assert "refused" not in found.stdout, found.stdout
    host.server.write(f"{directory}/wrong.conf", "auth = nonsense\n")
    found = host.server.run(["podman", "exec", "mstunnel-server", "sh", "-c", script])
    assert found.stdout.count("refused") == 1


def document(dice: random.Random) -> dict[str, object]:
    """A server configuration as the tenant may hold it, with a random choice of everything."""
    networks = ["10.1.0.0/16", "10.2.3.0/24", "192.0.2.1/32", "fd00:1::/64"]
    names = ["contoso.example", "_dns.corp.contoso.example", "xn--mnchen-3ya.example"]
    numbers = [{"name": name, "value": str(dice.randint(576, 9000))} for name in sorted(NUMBERS)]
    switches = [{"name": name, "value": dice.choice(["true", "false"])} for name in sorted(SWITCHES)]
    return {
        "displayName": dice.choice(values(40, 4)),
        "network": dice.choice(["10.0.0.0/8", "169.254.0.0/16"]),
        "ipv6Network": "fd00:9::/64",
        "dnsServers": dice.sample(["10.1.0.53", "fd00:1::53"], dice.randint(0, 2)),
        "defaultDomainSuffix": " ".join(dice.sample(names, dice.randint(0, 3))),
        "routesInclude": dice.sample(networks, dice.randint(0, 4)),
        "routesExclude": dice.sample(networks, dice.randint(0, 4)),
        "splitDNS": dice.sample(names, dice.randint(0, 3)),
        "listenPort": dice.randint(1, 65535),
        "disableUdpConnections": dice.random() < 0.5,
        "advancedSettings": dice.sample([*numbers, *switches], dice.randint(0, len(numbers) + len(switches))),
    }
