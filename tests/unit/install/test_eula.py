"""Step `eula`: each new text needs acceptance, another program's marker is enough, a refusal stops."""

from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import eula
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.step import Step
from tests.unit.install.scenes import Scene, paths_of

_NEW = [
    "answer:accepted-eula",
    f"directory:{paths.CONFIGURATION}",
    f"file:{paths.EULA_ACCEPTED}",
    "answer:answers",
]


@pytest.mark.parametrize(
    "typed", [["yes"], ["Yes"], [" YES "], ["y"], ["Y"], ["yess", "yes"], ["accept", "yes please", "yes"]]
)
def test_a_person_reads_the_text_and_types_yes(scene: Scene, typed: list[str]) -> None:
    """Capitals and a single letter are accepted, too; after any other input the prompt is repeated."""
    scene.prompter.typed = [*typed]
    assert paths_of(scene.run(eula.STEP, scene.opened())) == _NEW
    assert scene.prompter.paged == [eula.terms()]
    assert scene.prompter.said == ["Type yes or no."] * (len(typed) - 1)
    assert scene.files.read(paths.EULA_ACCEPTED) == b""
    assert scene.run(eula.STEP, scene.opened()) == ()
    assert len(scene.prompter.asked) == len(typed)


@pytest.mark.parametrize("step", [eula.STEP, eula.BY_ROOT])
@pytest.mark.parametrize("typed", ["no", "No", "n", ""])
def test_no_changes_nothing(scene: Scene, typed: str, step: Step[Run, Any]) -> None:
    scene.prompter.typed = [typed]
    with pytest.raises(UsageError) as caught:
        scene.run(step, scene.opened())
    assert (caught.value.code, caught.value.exit_code) == ("eula-declined", ExitCode.USAGE)
    assert scene.journal.installation_id is None
    assert not list((scene.root / "etc").iterdir())
    assert not list((scene.root / "var/lib").iterdir())


def test_the_answer_file_accepts_without_a_question(scene: Scene) -> None:
    scene.prompter.interactive = False
    assert paths_of(scene.run(eula.STEP, scene.opened(eula="accept"))) == _NEW
    assert (scene.prompter.asked, scene.prompter.paged) == ([], [])


def test_accepted_text_and_person_are_recorded(scene: Scene) -> None:
    scene.run(eula.STEP, scene.opened(eula="accept"))
    record = remembered(scene.opened().receipt, "accepted-eula")
    assert isinstance(record, dict)
    assert len(str(record["sha256"])) == 64
    assert record["who"]
    accepted = [item for item in scene.journal.records if item.get("key") == "answer:accepted-eula"]
    assert accepted
    assert all(item["time"] for item in accepted)


def test_a_new_text_is_asked_for_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    assert eula.STEP.missing(scene.opened()) == ("eula",)
    scene.run(eula.STEP, scene.opened(eula="accept"))
    assert eula.STEP.missing(scene.opened()) == ()
    monkeypatch.setattr(eula, "terms", lambda: "New terms.\n")
    assert eula.STEP.missing(scene.opened()) == ("eula",)
    scene.prompter.typed = ["no"]
    with pytest.raises(UsageError):
        scene.run(eula.STEP, scene.opened())
    scene.prompter.typed = ["yes"]
    assert "answer:accepted-eula" in paths_of(scene.run(eula.STEP, scene.opened()))


def test_acceptance_of_an_old_text_is_not_reused(scene: Scene) -> None:
    scene.run(eula.STEP, scene.opened(eula="accept", server_name="gw7"))
    assert remembered(scene.opened().receipt, "answers") == {"server_name": "gw7"}


def test_a_marker_of_another_program_is_respected(scene: Scene) -> None:
    scene.write(paths.EULA_ACCEPTED, "")
    assert paths_of(scene.run(eula.STEP, scene.opened())) == ["answer:answers"]
    assert scene.prompter.asked == []


def test_root_stores_eula_record_for_the_account(scene: Scene) -> None:
    scene.prompter.typed = ["yes"]
    assert paths_of(scene.run(eula.BY_ROOT, scene.opened())) == ["answer:accepted-eula"]
    assert scene.files.state(paths.CONFIGURATION) is None
    assert scene.run(eula.BY_ROOT, scene.opened()) == ()
    assert len(scene.prompter.asked) == 1
