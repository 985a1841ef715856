"""The on-demand VPN rules of iOS in a form: one group of fields for each rule, in their order."""

from collections.abc import Mapping, Sequence
from typing import Final

from mst_admin.objects.profile import RuleObject
from mstunnel_lab.admin_center.forms import Field, Group, Values, lines, renamed
from mstunnel_setup.base.parsing import whole_number

MOST_RULES: Final = 100
ADD: Final = "add-rule"
_LINES: Final = ("domains", "dns_servers", "ssids", "search_domains")
_TEXTS: Final = ("action", "domain_action", "interface", "probe_url", "probe_required_url")
_ESTABLISH: Final = {"establish": "connect"}


_FIELDS: Final = (
    Field(
        "action",
        "I want to do the following",
        "choice",
        hint="A rule without an action is removed.",
        choices=(
            ("connect", "Connect VPN"),
            ("disconnect", "Disconnect VPN"),
            ("evaluate", "Evaluate each connection attempt"),
            ("ignore", "Ignore"),
        ),
    ),
    Field(
        "domain_action",
        "Choose whether to connect",
        "choice",
        hint="Only to evaluate each connection attempt.",
        choices=(("connect-if-needed", "Connect if needed"), ("never-connect", "Never connect")),
    ),
    Field(
        "domains",
        "When users try to access these domains",
        "lines",
        hint="Only to evaluate each connection attempt; one per line.",
    ),
    Field(
        "dns_servers",
        "Use the following DNS servers to resolve these domains",
        "lines",
        hint="One address per line.",
    ),
    Field(
        "probe_required_url",
        "When this URL is unreachable, force-connect the VPN",
        hint="Only for Connect if needed.",
    ),
    Field("ssids", "I want to restrict to: Specific SSIDs", "lines", hint="One per line."),
    Field(
        "search_domains",
        "I want to restrict to: Specific search domains",
        "lines",
        hint="One per line. Without SSIDs and search domains, the rule is for all domains.",
    ),
    Field(
        "interface",
        "Network interface",
        "choice",
        hint="Only over this kind of network.",
        choices=(("ethernet", "Ethernet"), ("wifi", "Wi-Fi"), ("cellular", "Cellular")),
    ),
    Field(
        "probe_url",
        "But only if this URL probe succeeds",
        hint="It must return HTTP 200 without redirection.",
    ),
)
"""As the pane "Add row" of the admin center of Intune has them."""


def _fields(prefix: str) -> tuple[Field, ...]:
    return tuple(renamed(item, prefix + item.name) for item in _FIELDS)


def groups(count: int) -> tuple[Group, ...]:
    """Return the fields of so many rules, and the button that adds one."""
    rules = (Group(f"On-demand rule {number}", _fields(f"rule{number}_")) for number in range(1, count + 1))
    override = Field(
        "block_override",
        "Block users from disabling automatic VPN",
        "check",
        hint="Users then cannot switch Connect On Demand off.",
    )
    return (*rules, Group("On-demand VPN rules", (override,), ((ADD, "Add on-demand rule"),)))


def count_of(text: str) -> int:
    """Return how many rules a form has that says so; no more than can be shown."""
    return min(whole_number(text) or 0, MOST_RULES)


def declared(values: Values, count: int) -> list[Mapping[str, object]]:
    """Return the rules as declared objects, without those that do nothing."""
    found = (_rule(values, f"rule{number}_") for number in range(1, count + 1))
    return [rule for rule in found if rule["action"]]


def _rule(values: Values, prefix: str) -> Mapping[str, object]:
    texts = {name: values.get(prefix + name) or None for name in _TEXTS}
    return {**texts, **{name: lines(values.get(prefix + name, "")) for name in _LINES}}


def shown(rules: Sequence[RuleObject]) -> Values:
    """Return rules as they would be typed."""
    found: dict[str, str] = {}
    for number, rule in enumerate(rules, 1):
        texts = {name: getattr(rule, name) or "" for name in _TEXTS}
        texts["action"] = _ESTABLISH.get(rule.action, rule.action)
        all_lines = {name: "\n".join(getattr(rule, name)) for name in _LINES}
        found |= {f"rule{number}_{name}": text for name, text in {**texts, **all_lines}.items()}
    return found
