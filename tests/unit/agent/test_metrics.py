"""The metrics: names and format for Prometheus, no unknown values, and limited labels."""

import dataclasses
import re
import subprocess
from datetime import timedelta

import pytest

from mstunnel_setup.agent.metrics import METRICS, Counters, render
from mstunnel_setup.exchange.health_observation import Observation
from mstunnel_setup.exchange.health_rows import ROWS
from tests.unit.agent.seen import a_round, everything, observation
from tests.unit.clocks import START

FULL = everything(START)
NOTHING = observation(START)
SAMPLE = re.compile(r'(mstunnel_[a-z_]+)(?:\{(\w+)="([^"\\\n]+)"\})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)')


def text_of(seen: Observation, counters: Counters | None = None) -> str:
    return render(a_round(seen, counters)).decode()


def samples(seen: Observation, counters: Counters | None = None) -> dict[tuple[str, str], float]:
    """Return every value of the text, by metric and value of its label."""
    lines = text_of(seen, counters).splitlines()
    found = [SAMPLE.fullmatch(line) for line in lines if not line.startswith(("# HELP ", "# TYPE "))]
    assert all(found)
    return {(match[1], match[3] or ""): float(match[4]) for match in found if match}


def checked(text: str) -> str:
    """Return the complaints of promtool."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("seen", [FULL, NOTHING], ids=["full", "nothing"])
def test_promtool_accepts_the_metrics(seen: Observation) -> None:
    assert checked(text_of(seen)) == ""


def test_promtool_detects_a_wrong_name() -> None:
    text = text_of(FULL)
    assert "base unit" in checked(text.replace("mstunnel_cpu_usage_ratio", "mstunnel_uptime_days"))
    assert "_total" in checked(text.replace("mstunnel_check_ins_total", "mstunnel_check_ins"))


def test_every_metric_has_a_value_for_a_known_server() -> None:
    assert [*dict.fromkeys(name for name, _ in samples(FULL))] == [metric.name for metric in METRICS]


def test_units_are_base_units() -> None:
    found = {name: value for (name, label), value in samples(FULL).items() if not label}
    assert found["mstunnel_cpu_usage_ratio"] == 0.36
    assert found["mstunnel_memory_usage_ratio"] == 0.415
    assert found["mstunnel_latency_seconds"] == pytest.approx(0.0042)
    assert found["mstunnel_disk_free_bytes"] == 37 * 1024**3
    assert found["mstunnel_transferred_bytes_total"] == 8e9
    assert found["mstunnel_agent_round_timestamp_seconds"] == START.timestamp()
    assert found["mstunnel_last_check_in_timestamp_seconds"] == START.timestamp() - 20
    assert found["mstunnel_tls_certificate_expiry_timestamp_seconds"] == START.timestamp() + 24 * 86_400


def test_unknown_values_are_omitted() -> None:
    known = {name for name, _ in samples(NOTHING)}
    counts = {metric.name for metric in METRICS if metric.name.endswith("_total")}
    assert known == (counts - {"mstunnel_transferred_bytes_total"}) | {
        "mstunnel_health_status",
        "mstunnel_agent_start_timestamp_seconds",
        "mstunnel_agent_round_timestamp_seconds",
        "mstunnel_agent_info",
    }


def test_old_report_of_the_gateway_is_ignored() -> None:
    later = dataclasses.replace(FULL, now=START + timedelta(minutes=3))
    assert ("mstunnel_transferred_bytes_total", "") not in samples(later)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Counters)])
def test_each_count_has_its_own_metric(field: str) -> None:
    before, after = samples(FULL, Counters()), samples(FULL, Counters(**{field: 41}))
    (changed,) = after.items() - before.items()
    assert changed[1] == 41
    assert changed[0][0].endswith("_total")


def test_labels_have_a_fixed_set_of_values() -> None:
    labels = {name: {label for other, label in samples(FULL) if other == name} for name, _ in samples(FULL)}
    labelled = {name: values for name, values in labels.items() if values != {""}}
    assert set(labelled) == {"mstunnel_health_status", "mstunnel_agent_info"}
    assert labelled["mstunnel_health_status"] == {row.id for row in ROWS}
    assert len(labelled["mstunnel_agent_info"]) == 1


def test_metrics_have_no_text_from_elsewhere() -> None:
    """Check that addresses, names and messages of the tenant are only in the health report."""
    told = dataclasses.replace(FULL, refusal="told-by-tenant", registry_problem="told-by-registry")
    text = text_of(told)
    assert not re.search(r"told-by|intranet|10\.0\.0\.53|registry\.example", text)
