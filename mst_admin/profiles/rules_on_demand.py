"""Rules for on-demand rules of iOS."""

from collections.abc import Iterator, Sequence
from typing import Final

from mst_admin import findings
from mst_admin.profiles.objects import RuleObject
from mstunnel_setup.answers.address import is_web_address
from mstunnel_setup.answers.finding import Finding, finding

_MOST: Final = 500


def judge_on_demand(rules: Sequence[RuleObject]) -> Iterator[Finding]:
    """What is wrong with the rules, in their order."""
    if len(rules) > _MOST:
        yield finding(
            "on_demand_rules",
            "rules-too-many",
            "there are more than {most} on-demand rules",
            hint="Join some.",
            most=_MOST,
        )
    for number, rule in enumerate(rules, 1):
        yield from _one(number, rule)


def _one(number: int, rule: RuleObject) -> Iterator[Finding]:
    evaluates = rule.action == "evaluate"
    if evaluates and not (rule.domain_action and rule.domains):
        yield finding(
            "on_demand_rules",
            "rule-incomplete",
            "on-demand rule {number}: evaluate needs domain_action and domains",
            hint="Add them, or choose another action.",
            number=number,
        )
    if not evaluates and (rule.domain_action or rule.domains):
        yield findings.RULE_KEY_WITHOUT_EFFECT(
            number=number, keys="domain_action and domains", needed="evaluate", instead="action: evaluate"
        )
    if rule.probe_required_url and not (evaluates and rule.domain_action == "connect-if-needed"):
        yield findings.RULE_KEY_WITHOUT_EFFECT(
            number=number,
            keys="probe_required_url",
            needed="evaluate and connect-if-needed",
            instead="probe_url",
        )
    for name in ("probe_url", "probe_required_url"):
        url = getattr(rule, name)
        if url and not is_web_address(url):
            yield finding(
                "on_demand_rules",
                "rule-url-invalid",
                "on-demand rule {number}: {key} is not an http or https address",
                hint="Write a full address.",
                number=number,
                key=name,
            )
