"""Commands of an installed gateway beside certbot and pipx, with a long journal, and runs with nothing to do.

All take turns on one server. `certbot certificates` reads a certificate and its configuration, as `mst-cli
status` does; Debian's packages of certbot and pipx have their modules compiled, as ours are.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scripts.docs.error_codes import table as markdown
from tests.bench.bar import Bar, bar_of, bars
from tests.bench.gateway import put
from tests.bench.rounds import ratios, spread
from tests.testbed.installation import ANSWERS, PUBLIC_ADDRESS, Installation
from tests.testbed.kinds import PODMAN_WITH_PEERS
from tests.testbed.paths import JOURNAL, PROGRAM_PYTHON

NAME = "commands"
_ROUNDS: Final = 12
READ_LIMIT: Final = 1.0
"""What a command that only reads may take, as a multiple of `certbot certificates`."""
AGAIN_LIMIT: Final = 1.9
"""What a run, or a plan, that finds nothing to do may take, as a multiple of the same."""
HELP_LIMITS: Final[Mapping[str, float]] = {"certbot --help": 0.7, "pipx --help": 1.5}
"""What `--help` may take, as a multiple of that of these programs."""
LONG_LIMIT: Final = 1.15
"""What a command may take after 20 times the records of an installation, as a multiple of before."""
_TIMES: Final = 20
_CERTBOT: Final = "certbot certificates"
# What the commands ask the engine, in one request.
_ENGINE: Final = "podman inspect mstunnel-server mstunnel-agent"
_READERS: Final = (
    *("mst-cli status", "mst-cli health", "mst-cli server status"),
    *("mst-cli server show users", "mst-cli version"),
)
_HELPS: Final = ("mst-cli --help", "mstunnel-setup --help", "mst-readiness --help", "mst-admin --help")
_FIXED: Final = ("--answers", ANSWERS, "--unattended")
_AGAIN: Final[Mapping[str, list[str]]] = {
    "mstunnel-setup": ["mstunnel-setup", *_FIXED],
    "mstunnel-setup plan": ["mstunnel-setup", "plan", *_FIXED],
}
_READ_LONG: Final = ("mst-cli status", "mst-cli server status")
Times = Mapping[str, Sequence[float]]
"""Milliseconds by the clock of each round, by command."""


def measure() -> dict[str, Any]:
    """The figures, as JSON data: milliseconds."""
    readers = {name: name.split() for name in _READ_LONG}
    peers = (_CERTBOT, _ENGINE, *HELP_LIMITS)
    with Installation.booted(PODMAN_WITH_PEERS) as host:
        host.setup()
        host.await_verdict()
        host.wait_until_healthy()
        _give_certbot_a_certificate(host)
        named = {name: name.split() for name in (*peers, *_READERS, "mst-cli --version", *_HELPS)}
        times: Times = on_server(host, "commands", {**named, **_AGAIN}, _ROUNDS, timeout=600)
        short: Times = on_server(host, "commands", readers, _ROUNDS, timeout=600)
        journal = _lengthen(host)
        long: Times = on_server(host, "commands", readers, _ROUNDS, timeout=600)
    return {
        "what": "commands of an installed gateway, milliseconds",
        "rounds": _ROUNDS,
        "milliseconds": {name: spread(found, 1) for name, found in times.items()},
        "journal": journal,
        "milliseconds_with_a_long_journal": {name: spread(found, 1) for name, found in long.items()},
        **bars(
            *(_beside(times, name, _CERTBOT, READ_LIMIT) for name in _READERS),
            *(_beside(times, name, _CERTBOT, AGAIN_LIMIT) for name in _AGAIN),
            *(_beside(times, name, peer, limit) for name in _HELPS for peer, limit in HELP_LIMITS.items()),
            *(
                bar_of(
                    f"`{name}` after {_TIMES} times the records, relative to before",
                    ratios(long[name], short[name]),
                    LONG_LIMIT,
                )
                for name in _READ_LONG
            ),
        ),
    }


def _beside(times: Times, name: str, peer: str, limit: float) -> Bar:
    what = f"`{name}` with nothing to do" if name in _AGAIN else f"`{name}`"
    return bar_of(f"{what}, relative to `{peer}`", ratios(times[name], times[peer]), limit)


def section(figures: dict[str, Any]) -> str:
    """The table of docs/evidence/benchmarks.md: a row for each command."""
    rows = [
        [f"`{name}`", *(f"{times[figure]:.0f} ms" for figure in ("median", "percentile_90", "least", "most"))]
        for name, times in figures["milliseconds"].items()
    ]
    return markdown(("Command", "Median", "90 %", "Least", "Most"), rows)


def _give_certbot_a_certificate(host: Installation) -> None:
    """Have the gateway's certificate managed by certbot, as after `certbot certonly`."""
    live, archive = (f"/etc/letsencrypt/{name}/{PUBLIC_ADDRESS}" for name in ("live", "archive"))
    leaf, _, issuers = host.server.read(host.path("chain.pem")).partition("-----END CERTIFICATE-----\n")
    leaf = f"{leaf}-----END CERTIFICATE-----\n"
    parts = {"cert": leaf, "chain": issuers or leaf, "fullchain": f"{leaf}{issuers}"}
    parts["privkey"] = host.server.read(host.path("key.pem"))
    for name, content in parts.items():
        host.server.write(f"{archive}/{name}1.pem", content)
        host.server.shell(f"mkdir -p {live} && ln -s {archive}/{name}1.pem {live}/{name}.pem")
    names = "".join(f"{name} = {live}/{name}.pem\n" for name in parts)
    renewal = f"version = 4.0\narchive_dir = {archive}\n{names}[renewalparams]\nauthenticator = standalone\n"
    host.server.write(f"/etc/letsencrypt/renewal/{PUBLIC_ADDRESS}.conf", renewal)


def _lengthen(host: Installation) -> str:
    """Have as many runs as write _TIMES the records of the installation; what is left of them."""
    records = len(host.server.read(JOURNAL).splitlines())
    put(host.server, "long_journal.py")
    command = (*PROGRAM_PYTHON, "/root/long_journal.py", f"{_TIMES * records}")
    left = host.server.run(command, timeout=120).stdout
    return f"{records} records before; {_TIMES * records} more written, then (records, bytes): {left.strip()}"


def on_server(host: Installation, work: str, given: object, amount: float, timeout: float) -> Any:
    """What `on_server.py` finds there."""
    put(host.server, "on_server.py")
    command = ["python3", "/root/on_server.py", work, f"{amount}"]
    return json.loads(host.server.run(command, stdin=json.dumps(given), timeout=timeout).stdout)
