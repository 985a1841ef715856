"""Every line of the corpus: what was handed in, and which findings (`id:severity`) or error must come out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.errors import CertificateError
from mstunnel_setup.tls.certificate import title
from tests.unit.tls.recipes import run

CORPUS = Path(__file__).parents[2] / "corpora" / "tls" / "cases.jsonl"
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "certificates.md"
CASES: list[dict[str, Any]] = [json.loads(line) for line in CORPUS.read_text().splitlines() if line.strip()]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    expected = case["expect"]
    if "error" in expected:
        with pytest.raises(CertificateError) as caught:
            run(case["recipe"])
        assert caught.value.code == expected["error"]
        assert caught.value.message
        assert caught.value.hint
        return
    outcome = run(case["recipe"])
    found = [f"{finding.id}:{finding.severity}" for finding in outcome.findings]
    assert sorted(found) == sorted(expected["findings"])
    assert all(finding.hint for finding in outcome.findings if finding.severity != "note")
    # In our words: nothing of the library's inner names.
    assert not [finding.message for finding in outcome.findings if re.search(r"[{<]|::", finding.message)]
    if "chain" in expected:
        assert [title(certificate) for certificate in outcome.settled.chain] == expected["chain"]


def _documented() -> dict[str, str]:
    """The severity of each finding about a certificate alone, as the reference says it."""
    text = REFERENCE.read_text().partition("## Finding ids")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `")]
    return {
        finding: severity.strip()
        for ids, severity in rows
        for finding in re.findall("`([a-z0-9-]+)`", ids)
        if "(" not in severity and not finding.startswith("revo")
    }


def test_the_corpus_and_the_reference_agree_on_ids_and_severities() -> None:
    documented = _documented()
    found = {finding for case in CASES for finding in case["expect"].get("findings", ())}
    lab = {finding for case in CASES if case["recipe"].get("lab") for finding in case["expect"]["findings"]}
    assert {finding.partition(":")[0] for finding in found} == set(documented)
    wrong = [name for name in found - lab if documented[name.partition(":")[0]] != name.partition(":")[2]]
    assert wrong == []


def test_corpus_is_large_and_every_id_is_unique() -> None:
    names = [case["id"] for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 150
