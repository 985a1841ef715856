"""Step `eula`: show the licence and terms, and record who accepted which text when."""

import getpass
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import MakeDirectory, WriteFile
from mstunnel_setup.engine.remember import Remember, remembered
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import UsageError
from mstunnel_setup.steps.context import Context


@dataclass(frozen=True)
class Acceptance:
    """The answers given, and which text (SHA-256) was accepted by whom; the journal adds when.

    `record` is None when a marker of somebody else says that the terms are accepted.
    """

    answers: JsonObject
    record: JsonObject | None


def text() -> str:
    """The licence and terms of use."""
    return package_files("mstunnel_setup").joinpath("data/eula.txt").read_text(encoding="utf-8")


def _gather(context: Context) -> Acceptance:
    # Acceptance of one text says nothing about the next, so it is remembered with its digest only.
    answers = {path: value for path, value in context.answers.record().items() if path != "eula"}
    return Acceptance(answers, _record(context))


def _record(context: Context) -> JsonObject | None:
    digest = hashlib.sha256(text().encode()).hexdigest()
    earlier = remembered(context.receipt, "accepted-eula")
    if isinstance(earlier, dict) and earlier.get("sha256") == digest:
        return earlier
    if earlier is None and context.world.files.state(paths.EULA_ACCEPTED) is not None:
        return None
    if context.answers.eula != "accept":
        _ask(context)
    return {"sha256": digest, "who": getpass.getuser()}


def _ask(context: Context) -> None:
    context.prompter.page(text())
    answer = context.prompter.ask("Do you accept these terms? Type yes or no", default="no")
    if answer.strip().lower() != "yes":
        raise UsageError(
            "eula-declined",
            "the terms were not accepted; nothing was changed",
            "Run the command again and type yes, or put `eula: accept` into the answer file.",
        )


def _decide(acceptance: Acceptance) -> Sequence[Action[Any]]:
    folder = MakeDirectory(path=paths.CONFIGURATION, mode=0o755)
    answers = Remember(name="answers", value=acceptance.answers)
    if acceptance.record is None:
        return (answers,)
    accepted = Remember(name="accepted-eula", value=acceptance.record)
    return (accepted, folder, WriteFile(path=paths.EULA_ACCEPTED, text=""), answers)


def _missing(context: Context) -> Sequence[str]:
    marked = context.world.files.state(paths.EULA_ACCEPTED) is not None
    return () if marked or remembered(context.receipt, "accepted-eula") else ("eula",)


STEP = Step("eula", "Licence and terms of use", _gather, _decide, missing=_missing)
