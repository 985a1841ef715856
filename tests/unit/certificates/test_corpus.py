"""Every line of the corpus: given files, and the expected findings (`id:severity`) or error."""

import json
import re
from pathlib import Path
from typing import Any

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.certificates.certificate import title
from mstunnel_setup.certificates.errors import PAGE
from scripts.docs.error_codes import declarations
from tests.cases import every
from tests.refusals import refused
from tests.unit.certificates.recipes import run

CORPUS = Path(__file__).parents[2] / "corpora" / "tls" / "cases.jsonl"
OTHERS = ("key-exposed", "key-mode", "root-unreadable", "root-not-pem", "root-not-ca", "revo")
CASES: list[dict[str, Any]] = [json.loads(line) for line in CORPUS.read_text().splitlines() if line.strip()]


@every("case", CASES)
def test_corpus_case_has_the_expected_result(case: dict[str, Any]) -> None:
    expected = case["expect"]
    if "error" in expected:
        with refused(CertificateError, expected["error"]) as caught:
            run(case["recipe"])
        assert caught.value.message
        assert caught.value.hint
        return
    outcome = run(case["recipe"])
    found = [f"{finding.code}:{finding.severity}" for finding in outcome.findings]
    assert sorted(found) == sorted(expected["findings"])
    assert all(finding.hint for finding in outcome.findings if finding.severity != "note")
    # A message must not quote an exception of `cryptography`, which names Rust types.
    assert not [finding.message for finding in outcome.findings if re.search(r"[{<]|::", finding.message)]
    if "chain" in expected:
        assert [title(certificate) for certificate in outcome.settled.chain] == expected["chain"]


def _declared() -> dict[str, str]:
    """Return the severity of each declared finding about a certificate; others have their own tests."""
    written = (
        item.example()
        for name, item in declarations().items()
        if item.page == PAGE and name.startswith("mstunnel_setup.certificates.")
    )
    made = [item for item in written if isinstance(item, Problem) and not item.code.startswith(OTHERS)]
    return {item.code: item.severity for item in made}


def test_corpus_covers_every_finding() -> None:
    declared = _declared()
    found = {finding for case in CASES for finding in case["expect"].get("findings", ())}
    lab = {finding for case in CASES if case["recipe"].get("lab") for finding in case["expect"]["findings"]}
    assert {finding.partition(":")[0] for finding in found} == set(declared)
    wrong = [name for name in found - lab if declared[name.partition(":")[0]] != name.partition(":")[2]]
    assert wrong == []


def test_corpus_has_unique_ids() -> None:
    names = [case["id"] for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 150
