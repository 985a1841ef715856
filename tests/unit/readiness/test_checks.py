"""Every check: facts on which it passes and fails, and its words (good.json, broken.json)."""

from typing import Any

import pytest

from mstunnel_setup.readiness.checks import CHECKS, judge
from mstunnel_setup.readiness.model import CheckFinding, Outcome, ReadinessFacts, Unread
from tests import pages
from tests.cases import every
from tests.unit.readiness.known import BROKEN, facts

DOCKER: dict[str, Any] = {
    "settings": {"mode": "rootful", "engine": "docker"},
    "engine": {"engines": [{"name": "docker", "version": "28.1.1"}]},
}
# These checks are about something that the good host does not have.
PASSES_OTHERWISE = {"userns-remap": DOCKER}
# This check lists names to allow; it cannot fail.
NEVER_A_PROBLEM = {"allowed-names"}


def find(identifier: str, changes: dict[str, Any]) -> CheckFinding:
    return next(item for item in judge(CHECKS, facts(changes)) if item.id == identifier)


def test_ids_are_stable_names_and_each_exists_once() -> None:
    names = [item.id for item in CHECKS]

    assert len(names) == len(set(names)) >= 40
    assert all(name == name.lower() and "_" not in name and " " not in name for name in names)


@every("identifier", [item.id for item in CHECKS])
def test_check_passes_on_a_good_host(identifier: str) -> None:
    finding = find(identifier, PASSES_OTHERWISE.get(identifier, {}))

    assert (finding.result, finding.hint) == (Outcome.PASS, "")
    assert finding.seen


def test_every_check_can_fail() -> None:
    problems = {name for name, cases in BROKEN.items() if {"fail", "warning"} & {case[1] for case in cases}}

    assert set(BROKEN) == {item.id for item in CHECKS}
    assert set(BROKEN) - problems == NEVER_A_PROBLEM


@every(
    "identifier, changes, result, seen", [(name, *case) for name, cases in BROKEN.items() for case in cases]
)
def test_check_describes_the_problem(
    identifier: str, changes: dict[str, Any], result: str, seen: str
) -> None:
    finding = find(identifier, changes)

    assert finding.result == result, finding
    assert seen in finding.seen
    if finding.result in (Outcome.FAIL, Outcome.WARNING, Outcome.UNKNOWN):
        assert (
            finding.hint or "findings" in str(changes) or "problem" in str(changes) or "error" in str(changes)
        )


def in_places(engine: dict[str, Any], *places: str) -> dict[str, Any]:
    """Return facts with a proxy that is set in these places."""
    named = [{"place": place, "name": "https_proxy", "value": "http://one:3128"} for place in places]
    return {**engine, "proxies": {"places": named}}


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        (
            in_places({}, "the environment"),
            "`echo export https_proxy=http://one:3128 >>/etc/profile.d/http_proxy.sh`",
        ),
        (in_places(DOCKER, "the environment"), "`echo https_proxy=http://one:3128 >>/etc/environment`"),
        (in_places(DOCKER, "/etc/environment"), "`systemctl edit docker`"),
        (in_places(DOCKER, "/etc/environment", "/etc/mstunnel/env.sh"), "Run `mst-cli install`"),
    ],
)
def test_missing_proxy_has_a_command_as_a_hint(changes: dict[str, Any], command: str) -> None:
    finding = find("proxy-places", changes)

    assert finding.result == Outcome.WARNING
    assert command in finding.hint


def test_unread_section_makes_checks_unknown_with_the_reason() -> None:
    found = judge(CHECKS, ReadinessFacts(unread={"kernel": Unread(reason="no answer within 20 s")}))

    assert {item.result for item in found if item.id != "devices"} == {Outcome.UNKNOWN}
    assert next(item for item in found if item.id == "module-tun").seen == "no answer within 20 s"


def test_every_check_is_documented() -> None:
    page = pages.content(pages.ROOT / "docs/reference/readiness.md")

    missing = [item.id for item in CHECKS if f"`{item.id}`" not in page or f'id="{item.id}"' not in page]
    assert missing == []


@pytest.mark.parametrize(
    ("distribution", "version", "engine", "command"),
    [
        ("debian", "13", "auto", "`apt install podman`"),
        ("ubuntu", "24.04", "auto", "https://docs.docker.com/engine/install/"),
        ("ubuntu", "24.04", "podman", "`apt install podman`"),
        ("rhel", "9.6", "auto", "`dnf install podman`"),
        ("sles", "15.7", "auto", "`zypper install podman`"),
    ],
)
def test_hint_installs_the_engine_of_the_distribution(
    distribution: str, version: str, engine: str, command: str
) -> None:
    finding = find(
        "engine-present",
        {
            "engine": {"engines": []},
            "settings": {"engine": engine},
            "system": {"distribution": distribution, "version": version},
        },
    )
    assert command in finding.hint


def test_hint_for_an_account_without_access_names_sudo() -> None:
    down = {"engines": [{"name": "podman", "version": "5.4.0", "running": False}]}
    rootful = {"engine": down, "settings": {"mode": "rootful"}}
    as_user = find("engine-running", {**rootful, "system": {"root": False}})
    as_root = find("engine-running", {**rootful, "system": {"root": True}})
    assert "sudo" in as_user.hint
    assert "sudo" not in as_root.hint


def test_hint_names_the_port_of_the_registry() -> None:
    attempt = {"target": "10.0.0.5", "error": "connection refused"}
    registry = {"purpose": "registry", "host": "registry.corp.example:5000", "attempts": [attempt]}
    finding = find("endpoint-registry", {"network": {"endpoints": [registry]}})
    assert "Allow TCP 5000 to it" in finding.hint
    assert "https://registry.corp.example:5000" in finding.hint
