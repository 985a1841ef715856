"""`mstunnel-setup answers`: write, check and show answer files."""

import json
from pathlib import Path

from mstunnel_setup.answers import describe
from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.secret import reveal
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Verbatim, text, verbatim
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install import device_certificates
from mstunnel_setup.install.installed import journal_of
from mstunnel_setup.install.radius import refuse_secret
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.session import answers
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.named import refuse_present
from mstunnel_setup.io.operator import Operator, Settings


def new(operator: Operator, file: Path | None) -> Result:
    """A commented answer file, as the result or in `file`. Raises UsageError `file-exists`."""
    text = describe.new_file()
    return _given(operator.files, file, text, {"text": text})


def check(operator: Operator) -> Result:
    """Whether the answer file is valid, and what it names for devices, as far as that is on this machine.

    Raises UsageError naming everything that is not, or CertificateError.
    """
    path = operator.answers
    if path is None:
        raise UsageError(
            "answer-file-missing",
            "there is no answer file to check",
            hint="Give FILE or --answers FILE.",
        )
    loaded = load(path)
    answers = loaded.answers
    device_certificates.refuse_unusable(answers, operator.files, operator.clock.now())
    reference = answers.radius.secret
    if reference and reference.place == "file" and operator.files.read_given(reference.name) is not None:
        refuse_secret(reveal(reference, operator.files, operator.secrets.register), str(reference))
    return Result(
        "warning" if loaded.warnings else "ok",
        {"file": str(path)},
        loaded.warnings,
        text=[text("{path} is a valid answer file.", path=path)],
    )


def schema(operator: Operator, file: Path | None) -> Result:
    """The JSON Schema of answer files, as the result or in `file`. Raises UsageError `file-exists`."""
    data = describe.schema()
    return _given(operator.files, file, json.dumps(data, indent=2) + "\n", data)


def _given(files: Files, file: Path | None, value: str, data: JsonObject) -> Result:
    if file is None:
        return Result(data=data, text=verbatim(value))
    write_new(files, file, value)
    return Result("changed", {"file": str(file)}, text=[text("{file} is written.", file=file)])


def write_new(files: Files, file: Path, text: str) -> None:
    """Write a file of an administrator, readable by its owner only. Raises UsageError `file-exists`."""
    refuse_present(file)
    files.given.write(str(file), text.encode(), 0o600)


def show(operator: Operator, settings: Settings) -> Result:
    """The merged answers, each with its origin."""
    receipt = journal_of(Scope.ALL, operator).receipt
    data = describe.show(answers(operator, settings, receipt))
    return Result(data=data, text=[*map(Verbatim, describe.lines(data))])
