"""Rules for on-demand rules of iOS."""

from collections.abc import Iterator, Sequence
from typing import Final

from mstunnel_setup.admin.profiles.objects import RuleObject
from mstunnel_setup.answers.address import is_web_address
from mstunnel_setup.answers.finding import Finding

_KEY: Final = "on_demand_rules"
_MOST: Final = 500


def judge_on_demand(rules: Sequence[RuleObject]) -> Iterator[Finding]:
    """What is wrong with the rules, in their order."""
    if len(rules) > _MOST:
        yield Finding("rules-too-many", _KEY, f"there are more than {_MOST} on-demand rules", "Join some.")
    for number, rule in enumerate(rules, 1):
        for code, message, hint in _one(rule):
            yield Finding(code, _KEY, f"on-demand rule {number}: {message}", hint)


def _one(rule: RuleObject) -> Iterator[tuple[str, str, str]]:
    evaluates = rule.action == "evaluate"
    if evaluates and not (rule.domain_action and rule.domains):
        yield (
            "rule-incomplete",
            "evaluate needs domain_action and domains",
            "Add them, or choose another action.",
        )
    if not evaluates and (rule.domain_action or rule.domains):
        yield (
            "rule-key-without-effect",
            f"domain_action and domains do not go with {rule.action}",
            "Remove them, or write action: evaluate.",
        )
    if rule.probe_required_url and not (evaluates and rule.domain_action == "connect-if-needed"):
        yield (
            "rule-key-without-effect",
            "probe_required_url goes with evaluate and connect-if-needed only",
            "Remove it, or use probe_url.",
        )
    for name in ("probe_url", "probe_required_url"):
        url = getattr(rule, name)
        if url and not is_web_address(url):
            yield "rule-url-invalid", f"{name} is not an http or https address", "Write a full address."
