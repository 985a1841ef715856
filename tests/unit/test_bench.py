"""What the benchmarks calculate; `make bench` measures."""

from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.readiness.data import Size
from tests.bench import __main__ as bench
from tests.bench import sizing, summary
from tests.bench.bar import Bar, bar_of, bars, write_tables
from tests.bench.rounds import ratios, spread
from tests.bench.sessions import complete
from tests.bench.starts import limits
from tests.bench.traffic import processor

FAST = Bar("Start", 9, 10, "ms")
SLOW = Bar("Rate", 0.8, 0.95, "", at_least=True)


def test_a_bar_that_is_missed_fails_the_benchmark() -> None:
    assert bars(FAST)["within_limit"]
    assert not bars(FAST, SLOW)["within_limit"]


@pytest.mark.parametrize("within", [True, False])
def test_a_benchmark_beyond_its_limit_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, within: bool
) -> None:
    tables: list[object] = []
    monkeypatch.setattr(bench, "PLACE", tmp_path)
    monkeypatch.setattr(bench, "BENCHMARKS", {"journal": lambda: {"within_limit": within}})
    monkeypatch.setattr(bench, "write_tables", lambda figures, _others: tables.extend(figures))
    monkeypatch.setattr(summary, "write", lambda _figures: None)
    assert bench.main([]) == (0 if within else 1)
    assert tables == [{"within_limit": within}]


def test_a_figure_at_its_limit_is_within_it() -> None:
    assert Bar("Start", 10, 10, "ms").met
    assert Bar("Rate", 0.95, 0.95, "", at_least=True).met


def test_the_table_names_what_was_missed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    other = "<!-- other: begin -->\n<!-- other: end -->\n"
    page.write_text(f"before\n\n<!-- bench: begin -->\n\nold\n\n<!-- bench: end -->\n{other}")
    write_tables([bars(FAST), {"figures": "without a limit"}, bars(SLOW)], {"other": "| new |\n"}, page)
    written = page.read_text()
    assert "old" not in written
    assert "<!-- other: begin -->\n| new |\n<!-- other: end -->" in written
    assert "| Start | 9 ms |  |  | at most 10 ms |  |\n" in written
    assert "| Rate | 0.8 |  |  | at least 0.95 | missed |\n" in written


def test_a_bar_has_median_range_and_what_nine_of_ten_rounds_reach() -> None:
    rounds = [5.0, 1.0, 2.0, 3.0, 4.0, 11.0]
    assert bar_of("Start", rounds, 4, "ms").row == "| Start | 3.5 ms | 1 to 11 | 8 | at most 4 ms |  |\n"
    least = bar_of("Rate", rounds, 4, "ms", at_least=True)
    assert least.row == "| Rate | 3.5 ms | 1 to 11 | 1.5 | at least 4 ms | missed |\n"


def test_a_spread_does_not_depend_on_the_order_of_the_rounds() -> None:
    expected = {"mean": 4.0, "median": 2.0, "percentile_90": 7.6, "least": 1.0, "most": 9.0}
    assert spread([9.0, 1.0, 2.0]) == expected


def test_ratios_are_to_the_same_round_of_the_other() -> None:
    assert ratios([45, 100], [50, 80]) == (0.9, 1.25)


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody", True),
        (b"HTTP/1.1 200 CONNECTED\r\nX-CSTP-Version: 1\r\n\r\n", True),
    ],
    ids=["head", "no body", "body", "without a body"],
)
def test_an_answer_is_read_to_its_end(answer: bytes, whole: bool) -> None:
    assert complete(answer) is whole


def test_a_core_that_waits_is_not_busy() -> None:
    """Guests' time, the last two columns, is part of the first two."""
    stat = "cpu  10 20 30 400 50 6 7 8 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
    assert processor(stat) == (81, 531)


def test_a_start_is_compared_with_what_does_nothing_and_a_help_with_another_help() -> None:
    least = {"interpreter": 10.0, "completion": 2.0, "pipx --help": 100.0}
    least |= {"installed file --version": 20.0, "installed file --help": 100.0}
    least |= {"package --version": 25.0, "package --help": 110.0}
    found = {bar.what: (bar.measured, bar.met) for bar in limits(least)}
    assert found == {
        "`mst-cli --version` (installed file), of an interpreter": (2.0, True),
        "`mst-cli --version` (package), of an interpreter": (2.5, False),
        "`mst-cli --help` (installed file), of `pipx --help`": (1.0, True),
        "`mst-cli --help` (package), of `pipx --help`": (1.1, False),
        "Completion of a word, of an interpreter": (0.2, True),
    }


def test_a_server_carries_in_proportion_to_its_cores_and_holds_its_share_of_the_sessions() -> None:
    figures = {
        "cores": 2,
        "megabits": {"gateway": {"up": {"median": 400.0}, "down": {"median": 900.0}}},
        "mebibytes_a_session": 2.0,
    }
    sizes = [Size(devices=4000, servers=2, cpus=8, memory_gb=8, disk_gb=30)]
    assert (
        sizing.table(figures, sizes).splitlines()[2] == "| 4,000 | 2 with 8 | 1600 | 0.80 | 3.9 GiB | 8 GB |"
    )


SPREAD = spread([1.0, 2.0, 3.0])
SERVERS = ("gateway", "podman-run", "host")
STORM = {
    "seconds_of_the_restart": 2.0,
    "seconds_until_all_are_back": 12.0,
    "last_client_started_after": 11.0,
    "connection_90": 0.5,
}
REST = {
    name: {"percent_of_a_core": percent, "mean_mib": 10.0}
    for name, percent in {
        "system.slice": 0.5,
        "machine.slice": 0.0,
        "system.slice/mstunnel-server.service": 0.1,
        "system.slice/mstunnel-agent.service": 0.1,
        "system.slice/mstunnel_monitor.service": 0.1,
        "system.slice/podman.service": 0.05,
    }.items()
}
FIGURES: dict[str, Any] = {
    "data-plane": {
        "megabits": {name: {"up DTLS": SPREAD} for name in ("host", "podman-run", "rootful", "uplink")},
    },
    "connects": {
        "milliseconds": {name: {**SPREAD, "share_slow": 0.125} for name in SERVERS},
        "sessions_a_second": {
            way: dict.fromkeys(SERVERS, SPREAD) for way in ("one at a time", "four at once")
        },
    },
    "interruption": {"seconds": dict.fromkeys(("upgrade", "certificate", "podman restart"), SPREAD)},
    "sessions": {
        "sessions": 300,
        "megabits": {name: {"up": SPREAD, "down": SPREAD} for name in SERVERS},
        "busy_percent": {name: {"up": SPREAD, "down": SPREAD} for name in SERVERS},
        "seconds_until_all_are_back": {"gateway": SPREAD, "podman-run": SPREAD},
        "storms": {"gateway": [STORM], "podman-run": [STORM]},
    },
    "installation": {"seconds": {"mstunnel-setup": SPREAD, "plain-install": SPREAD}},
    "commands": {
        "milliseconds": dict.fromkeys(
            ("mst-cli status", "mst-cli health", "mst-cli --help", "mstunnel-setup"), SPREAD
        )
    },
    "at-rest": {
        "bars": [{"measured": 120.4}],
        "services": {"without a device": REST, "with a device": REST},
    },
}


def test_what_users_feel_stands_beside_what_it_is_compared_with() -> None:
    assert summary.devices(FIGURES).splitlines()[2:] == [
        "| one device, up DTLS | 2 Mbit/s | 2 Mbit/s | 2 Mbit/s |",
        f"| beginning a session {'| 2 ms, nine of ten within 3 ms, 12 % over 40 ms ' * 3}|",
        "| sessions that begin in a second | 2 | 2 | 2 |",
        "| without traffic, new certificate | 2 s, worst 3 s |  |  |",
        "| without traffic, upgrade or restart | 2 s, worst 3 s | 2 s, worst 3 s |  |",
        "| all 300 devices back after a restart | 1 to 3 s | 1 to 3 s |  |",
    ]
    assert summary.host(FIGURES).splitlines()[-2:] == [
        "| all services of the host at rest, of a core | 0.50 %; with a device 0.50 % |",
        "| memory of agent, monitor and Podman's service | 120 MiB |",
    ]


def test_what_was_not_measured_has_no_row() -> None:
    assert len(summary.devices({}).splitlines()) == len(summary.host({}).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("connects", "| gateway | 2 (1 to 3) | 2 (1 to 3) | 2 ms | 2 ms | 2.8 ms | 12 % |"),
        ("data-plane", "| ocserv on the host | 2 (1 to 3) |"),
        ("interruption", "| upgrade | 2 s | 2.8 s | 3 s |"),
        (
            "sessions",
            "| gateway | 2.0 (2.0 to 2.0) | 12.0 (12.0 to 12.0) | 11.0 (11.0 to 11.0) | 0.5 (0.5 to 0.5) |",
        ),
        ("sessions", "| gateway | 2 (1 to 3) Mbit/s, 2 % | 2 (1 to 3) Mbit/s, 2 % |"),
        ("commands", "| `mst-cli status` | 2 ms | 3 ms | 1 ms | 3 ms |"),
        ("at-rest", "| gateway | 0.10 % | 0.10 % | 10 MiB |"),
        ("at-rest", "| health checks, systemd's own services | 0.15 % | 0.15 % |  |"),
    ],
)
def test_a_table_of_the_reference_has_a_row_for_each(name: str, row: str) -> None:
    assert row in bench.SECTIONS[name](FIGURES[name]).splitlines()
