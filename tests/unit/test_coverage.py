"""Every row of docs/evidence/coverage.md names code, a test and a command that exist."""

import re

from scripts.docs.coverage import Behaviour, page, problems, sections
from tests.cases import every

SECTIONS = sections()
BEHAVIOURS = [behaviour for section in SECTIONS for behaviour in section.behaviour]
RIGHT = {
    "id": "pool-lease",
    "text": "A device gets an address.",
    "code": "mstunnel_setup/gateway/ocserv_conf.py",
    "test": "tests/unit/test_coverage.py::test_what_a_row_names_exists",
    "command": "sudo mst-cli server show users",
}


@every("behaviour", BEHAVIOURS)
def test_what_a_row_names_exists(behaviour: Behaviour) -> None:
    assert list(problems(behaviour)) == []


@every(
    "wrong, reported",
    [
        ({}, []),
        ({"code": "mstunnel_setup/gateway/gone.py"}, ["no file mstunnel_setup/gateway/gone.py"]),
        ({"code": "mstunnel_setup/gateway"}, ["no file mstunnel_setup/gateway"]),
        ({"test": "tests/unit/test_gone.py::test_a"}, ["no test tests/unit/test_gone.py::test_a"]),
        ({"test": "tests/unit/test_docs.py::test_a"}, ["no test tests/unit/test_docs.py::test_a"]),
        ({"test": "tests/unit/mst_admin/rules.yaml::udp-off"}, []),
        ({"test": "tests/unit/mst_admin/rules.yaml::udp"}, ["no test tests/unit/mst_admin/rules.yaml::udp"]),
        ({"test": "tests/unit/exchange/decisions/manual-site.json"}, []),
        (
            {"test": "tests/unit/exchange/decisions/gone.json"},
            ["no test tests/unit/exchange/decisions/gone.json"],
        ),
        ({"command": "mst-cli sever show"}, ["mst-cli sever show: no such command 'sever'."]),
        ({"command": "mst-readiness --fixx"}, ["mst-readiness --fixx: No such option: --fixx"]),
        ({"command": "mst-cli backup"}, ["mst-cli backup: Missing parameter: file"]),
        ({"command": "mst_rootless_mode=1 ./mstunnel-setup"}, []),
        ({"command": "make bench"}, []),
        ({"command": "make coffee"}, ["make coffee: no such target"]),
    ],
)
def test_what_does_not_exist_is_reported(wrong: dict[str, str], reported: list[str]) -> None:
    found = list(problems(Behaviour.model_validate(RIGHT | wrong)))
    assert [re.sub(r" Did you mean .*", "", problem) for problem in found] == reported


def test_ids_are_unique() -> None:
    ids = [behaviour.id for behaviour in BEHAVIOURS]
    assert sorted({*ids}) == sorted(ids)


def test_the_page_is_in_our_words() -> None:
    """The vendor's page is in Japanese; of its text nothing may be here."""
    assert re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]", page()) == []
