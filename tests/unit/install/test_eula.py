"""Step `eula`: every new text is asked for again; a marker of another program counts; a refusal stops."""

import pytest

from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.install.steps import eula
from tests.unit.install.scenes import Scene, paths_of

_NEW = [
    "answer:accepted-eula",
    f"directory:{paths.CONFIGURATION}",
    f"file:{paths.EULA_ACCEPTED}",
    "answer:answers",
]


def test_a_person_reads_the_text_and_types_yes(scene: Scene) -> None:
    scene.prompter.typed = ["yes"]
    done = scene.run(eula.STEP, scene.context())
    assert paths_of(done) == _NEW
    assert scene.prompter.paged == [eula.terms()]
    assert scene.files.read(paths.EULA_ACCEPTED) == b""


@pytest.mark.parametrize("typed", ["Yes", " YES ", "y", "Y"])
def test_yes_may_be_capitals_or_one_letter(scene: Scene, typed: str) -> None:
    scene.prompter.typed = [typed]
    assert paths_of(scene.run(eula.STEP, scene.context())) == _NEW


@pytest.mark.parametrize("typed", ["yess", "accept", "yes please"])
def test_anything_else_asks_again(scene: Scene, typed: str) -> None:
    scene.prompter.typed = [typed, "yes"]
    assert paths_of(scene.run(eula.STEP, scene.context())) == _NEW
    assert scene.prompter.said == ["Type yes or no."]


@pytest.mark.parametrize("typed", ["no", "No", "n", ""])
def test_no_changes_nothing(scene: Scene, typed: str) -> None:
    scene.prompter.typed = [typed]
    with pytest.raises(UsageError) as caught:
        scene.run(eula.STEP, scene.context())
    assert (caught.value.code, caught.value.exit_code) == ("eula-declined", ExitCode.USAGE)
    assert scene.journal.installation_id is None
    assert not list((scene.root / "etc").iterdir())
    assert not list((scene.root / "var/lib").iterdir())


def test_the_answer_file_accepts_without_a_question(scene: Scene) -> None:
    scene.prompter.interactive = False
    assert paths_of(scene.run(eula.STEP, scene.context(eula="accept"))) == _NEW
    assert (scene.prompter.asked, scene.prompter.paged) == ([], [])


def test_it_is_recorded_which_text_was_accepted_by_whom(scene: Scene) -> None:
    scene.run(eula.STEP, scene.context(eula="accept"))
    record = remembered(scene.context().receipt, "accepted-eula")
    assert isinstance(record, dict)
    assert len(str(record["sha256"])) == 64
    assert record["who"]
    accepted = [item for item in scene.journal.records if item.get("key") == "answer:accepted-eula"]
    assert accepted
    assert all(item["time"] for item in accepted)


def test_an_accepted_text_is_not_asked_for_again(scene: Scene) -> None:
    scene.prompter.typed = ["yes"]
    scene.run(eula.STEP, scene.context())
    assert scene.run(eula.STEP, scene.context()) == ()
    assert len(scene.prompter.asked) == 1


def test_a_new_text_is_asked_for_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.run(eula.STEP, scene.context(eula="accept"))
    monkeypatch.setattr(eula, "terms", lambda: "New terms.\n")
    scene.prompter.typed = ["no"]
    with pytest.raises(UsageError):
        scene.run(eula.STEP, scene.context())
    scene.prompter.typed = ["yes"]
    assert "answer:accepted-eula" in paths_of(scene.run(eula.STEP, scene.context()))


def test_the_acceptance_of_an_old_text_is_no_earlier_answer(scene: Scene) -> None:
    scene.run(eula.STEP, scene.context(eula="accept", server_name="gw7"))
    assert remembered(scene.context().receipt, "answers") == {"server_name": "gw7"}


def test_a_marker_of_another_program_is_respected(scene: Scene) -> None:
    scene.write(paths.EULA_ACCEPTED, "")
    assert paths_of(scene.run(eula.STEP, scene.context())) == ["answer:answers"]
    assert scene.prompter.asked == []


def test_an_unattended_run_needs_the_answer_unless_it_was_given_before(scene: Scene) -> None:
    assert eula.STEP.missing(scene.context()) == ("eula",)
    scene.run(eula.STEP, scene.context(eula="accept"))
    assert eula.STEP.missing(scene.context()) == ()


def test_a_new_text_is_missing_again_when_unattended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.run(eula.STEP, scene.context(eula="accept"))
    monkeypatch.setattr(eula, "terms", lambda: "New terms.\n")
    assert eula.STEP.missing(scene.context()) == ("eula",)


def test_root_keeps_the_record_alone_for_the_account_that_follows(scene: Scene) -> None:
    scene.prompter.typed = ["yes"]
    assert paths_of(scene.run(eula.BY_ROOT, scene.context())) == ["answer:accepted-eula"]
    assert scene.files.state(paths.CONFIGURATION) is None
    assert scene.run(eula.BY_ROOT, scene.context()) == ()
    assert len(scene.prompter.asked) == 1


def test_refused_at_the_part_of_root_nothing_begins(scene: Scene) -> None:
    scene.prompter.typed = ["no"]
    with pytest.raises(UsageError, match="not accepted"):
        scene.run(eula.BY_ROOT, scene.context())
    assert scene.journal.installation_id is None
    assert not list((scene.root / "var/lib").iterdir())
