"""Rules for on-demand rules of iOS."""

from collections.abc import Iterator, Sequence
from typing import Final

from mst_admin.profiles import findings
from mst_admin.profiles.objects import RuleObject
from mstunnel_setup.answers.address import is_web_address
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import text

_MOST: Final = 500


def judge_on_demand(rules: Sequence[RuleObject]) -> Iterator[Finding]:
    """What is wrong with the rules, in their order."""
    if len(rules) > _MOST:
        yield findings.RULES_TOO_MANY(most=_MOST)
    for number, rule in enumerate(rules, 1):
        yield from _one(number, rule)


def _one(number: int, rule: RuleObject) -> Iterator[Finding]:
    evaluates = rule.action == "evaluate"
    if evaluates and not (rule.domain_action and rule.domains):
        yield findings.RULE_INCOMPLETE(number=number)
    if not evaluates and (rule.domain_action or rule.domains):
        yield findings.RULE_KEY_WITHOUT_EFFECT(
            number=number,
            keys=text("domain_action and domains"),
            needed="evaluate",
            instead="action: evaluate",
        )
    if rule.probe_required_url and not (evaluates and rule.domain_action == "connect-if-needed"):
        yield findings.RULE_KEY_WITHOUT_EFFECT(
            number=number,
            keys="probe_required_url",
            needed=text("evaluate and connect-if-needed"),
            instead="probe_url",
        )
    for name in ("probe_url", "probe_required_url"):
        url = getattr(rule, name)
        if url and not is_web_address(url):
            yield findings.RULE_URL_INVALID(number=number, key=name)
