"""Step `eula`: show the licence terms, and record which text was accepted, by whom and when."""

import getpass
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import Final

from mstunnel_setup.actions.files import MakeDirectory, WriteFile
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.answers.merge import answered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text, verbatim
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.step import Step

_ACCEPTED: Final = "accepted-eula"
ACCEPTED_KEY: Final = f"answer:{_ACCEPTED}"
"""Receipt key of the acceptance record, which is the first object of root's part."""


@dataclass(frozen=True)
class Acceptance:
    """The given answers, and the accepted text (SHA-256) with the person; the journal adds the time.

    `record` is None if a marker file of another program says that the terms are accepted.
    """

    answers: JsonObject
    record: JsonObject | None


class Terms(Report):
    """The licence and terms of use."""

    text: str


def show(_operator: Operator) -> Result[Terms]:
    """Return the licence and terms of use, as the result of a command."""
    return Result(report=Terms(text=terms()), text=verbatim(terms()))


def terms() -> str:
    """Return the licence and terms of use."""
    return package_files("mstunnel_setup").joinpath("data/eula.txt").read_text(encoding="utf-8")


def answers_to_store(run: Run) -> JsonObject:
    """Return the answers to store for later runs, without those that another step prompts for and stores.

    The acceptance is not stored as an answer: it is valid for one text only, which its digest identifies.
    """
    before = as_object(remembered(run.receipt, "answers"))
    return {
        path: value
        for path, value in run.answers.record().items()
        if path != "eula" and (path in before or run.answers.origins[path].kind != "earlier")
    }


def _record(run: Run) -> JsonObject | None:
    if not _outstanding(run):
        return as_object(remembered(run.receipt, _ACCEPTED)) or None
    if run.answers.eula != "accept":
        run.console.page(terms())
        while True:
            typed = run.console.ask("Do you accept these terms? Type yes or no", default="no")
            typed = typed.strip().lower()
            if typed in ("yes", "y"):
                break
            if typed in ("no", "n", ""):
                raise UsageError(
                    "eula-declined",
                    "the terms were not accepted; nothing was changed",
                    hint="Run the command again and type yes, or set `eula: accept` in the answer file.",
                )
            run.console.say("Type yes or no.")
        run.answers = answered(run.answers, {"eula": "accept"})
    return {"sha256": _digest(), "who": getpass.getuser()}


def _outstanding(run: Run) -> bool:
    if earlier := as_object(remembered(run.receipt, _ACCEPTED)):
        return earlier.get("sha256") != _digest()
    return run.files.state(paths.EULA_ACCEPTED) is None


def _digest() -> str:
    return hashlib.sha256(terms().encode()).hexdigest()


def _decide(acceptance: Acceptance) -> Sequence[Action]:
    directory = MakeDirectory(path=paths.CONFIGURATION, mode=0o755)
    answers = StoreAnswer(name="answers", value=acceptance.answers)
    if acceptance.record is None:
        return (answers,)
    accepted = StoreAnswer(name=_ACCEPTED, value=acceptance.record)
    return (accepted, directory, WriteFile(path=paths.EULA_ACCEPTED, text=""), answers)


def _missing(run: Run) -> Sequence[str]:
    return ("eula",) if _outstanding(run) else ()


STEP = Step(
    "eula",
    text("Licence and terms of use"),
    lambda run: Acceptance(answers_to_store(run), _record(run)),
    _decide,
    missing=_missing,
)
# Root stores only the record of who accepted; the account writes the marker file and stores the answers.
BY_ROOT: Step[Run, JsonObject | None] = Step(
    "eula",
    text("Licence and terms of use"),
    _record,
    lambda record: () if record is None else (StoreAnswer(name=_ACCEPTED, value=record),),
    missing=_missing,
)
