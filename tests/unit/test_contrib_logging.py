"""The examples that forward logs: their own tool takes them, and each names every tag."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.log_line import journal_fields
from mstunnel_setup.exchange.log_lines import RESTART

EXAMPLES = Path(__file__).parents[2] / "contrib/logging"
TAGS = {paths.SERVER_TAG, f"{paths.SERVER_TAG}-access", paths.AGENT, "mstunnel_monitor"}
FILES = {"config.alloy", "rsyslog.conf", "sentinel-dcr.json", "sentinel.kql"}


def text(name: str) -> str:
    return (EXAMPLES / name).read_text()


def rsyslogd(tmp_path: Path, example: str) -> subprocess.CompletedProcess[str]:
    """What rsyslogd says of the example, without starting."""
    (tmp_path / "rsyslog.conf").write_text(f'global(workDirectory="{tmp_path}")\n{example}')
    command = ["rsyslogd", "-N1", "-f", str(tmp_path / "rsyslog.conf")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_these_are_the_examples() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == FILES


@pytest.mark.parametrize("name", sorted(FILES - {"sentinel.kql"}))
def test_each_example_takes_the_entries_of_every_program(name: str) -> None:
    words = set(re.findall(r"[a-z]+(?:[-_][a-z]+)*", text(name)))
    assert words >= TAGS


def test_rsyslog_accepts_the_example(tmp_path: Path) -> None:
    done = rsyslogd(tmp_path, text("rsyslog.conf"))
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr


@pytest.mark.parametrize(
    ("name", "match"), [("rsyslog.conf", '$!_UID == ["0"] and'), ("config.alloy", '["__journal__uid"]')]
)
def test_an_example_that_reads_the_journal_matches_who_wrote(name: str, match: str) -> None:
    """Any user can write under the tags."""
    assert match in text(name)


def test_rsyslog_refuses_an_example_with_a_mistake(tmp_path: Path) -> None:
    assert rsyslogd(tmp_path, text("rsyslog.conf").replace("omfwd", "omforward")).returncode != 0


def test_the_labels_for_loki_are_fields_of_our_entries() -> None:
    read = re.findall(r'source_labels = \["(\w+)"\]', text("config.alloy"))
    assert "__journal_mstunnel_code" in read
    assert "MSTUNNEL_CODE" in journal_fields(RESTART(container="a", condition="unhealthy"))


def test_sentinel_rule_is_json_with_a_destination() -> None:
    properties = json.loads(text("sentinel-dcr.json"))["properties"]
    (flow,) = properties["dataFlows"]
    assert flow["destinations"] == [item["name"] for item in properties["destinations"]["logAnalytics"]]
    assert flow["streams"] == [
        stream for item in properties["dataSources"]["syslog"] for stream in item["streams"]
    ]
