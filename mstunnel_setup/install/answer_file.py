"""`mstunnel-setup answers`: write, check and show answer files, and save the answers of an installation."""

import json
from pathlib import Path
from typing import Any

from mstunnel_setup.answers import describe
from mstunnel_setup.answers.describe import MergedAnswers, SchemaReport
from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.answers.values import pem_certificates
from mstunnel_setup.answers.variables import PROXIES, proxies_of
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import Verbatim, text, verbatim
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.gateway import env_file
from mstunnel_setup.install import device_certificates
from mstunnel_setup.install.installed import journal_of, own_scope, require_installed
from mstunnel_setup.install.joined_site import JoinedSite
from mstunnel_setup.install.run_answers import answers, earlier_answers
from mstunnel_setup.install.steps.environment import TENANT_ROOTS
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.safe_paths import refuse_present
from mstunnel_setup.readiness.facts.parse import proxy_places
from mstunnel_setup.transaction.receipt import Receipt, remembered

# These answers apply to one server only, so they are not saved for others.
_OF_THIS_SERVER = frozenset({"server_name", "existing_record"})


class AnswerFileText(Report):
    """A commented answer file."""

    text: str


class AnswerFilePath(Report):
    """The answer file, or its schema, that was checked or written."""

    file: str


def new(operator: Operator, file: Path | None) -> Result[AnswerFileText | AnswerFilePath]:
    """Return a commented answer file, or write it to `file`. Raises UsageError `file-exists`."""
    content = describe.new_file()
    if file is None:
        return Result(report=AnswerFileText(text=content), text=verbatim(content))
    return _written(operator.files, file, content)


def schema(operator: Operator, file: Path | None) -> Result[SchemaReport | AnswerFilePath]:
    """Return the JSON Schema of answer files, or write it to `file`. Raises UsageError `file-exists`."""
    report = describe.schema()
    content = json.dumps(report.data, indent=2) + "\n"
    if file is None:
        return Result(report=report, text=verbatim(content))
    return _written(operator.files, file, content)


def _written(files: Files, file: Path, content: str) -> Result[AnswerFilePath]:
    _write_new(files, file, content)
    report = AnswerFilePath(file=str(file))
    return Result("changed", report, text=[text("{file} is written.", file=file)])


def _write_new(files: Files, file: Path, content: str) -> None:
    """Write a new file that only its owner can read. Raises UsageError `file-exists`."""
    refuse_present(file)
    files.given.write(str(file), content.encode(), 0o600)


def check(operator: Operator) -> Result[AnswerFilePath]:
    """Check the answer file, and those device CAs and CRLs that it names and this machine has.

    Raises UsageError, which names all invalid answers, or CertificateError.
    """
    path = operator.answers
    if path is None:
        raise UsageError(
            "answer-file-missing",
            "there is no answer file to check",
            hint="Give FILE or --answers FILE.",
        )
    loaded = load(path)
    given = loaded.answers
    device_certificates.refuse_unusable(given, operator.files, operator.clock.now())
    return Result(
        report=AnswerFilePath(file=str(path)),
        text=[text("{path} is a valid answer file.", path=path)],
    )


def show(operator: Operator, settings: Settings) -> Result[MergedAnswers]:
    """Return the merged answers, each with its origin."""
    receipt = journal_of(Scope.ALL, operator).receipt
    merged = describe.show(answers(operator, settings, receipt))
    return Result(report=MergedAnswers.model_validate(merged), text=[*map(Verbatim, describe.lines(merged))])


def save(operator: Operator, file: Path) -> Result[AnswerFilePath]:
    """Write the answers of this server's installation to `file`, readable by its owner only.

    Raises CheckError `not-installed` if no installation has begun, UsageError `file-exists`.
    """
    journal = journal_of(own_scope(operator), operator)
    require_installed(journal)
    receipt = journal.receipt
    variables, withheld = _variables(operator.files)
    given = {**_portable(receipt, operator.files), "environment": variables}
    _write_new(operator.files, file, describe.new_file(merge({}, {}, None, given)))
    left_out = warning(
        "proxy-left-out",
        "{names} contains a password, which an answer file cannot hold; it is left out",
        hint="Set it in the shell on the next server, before you run mstunnel-setup there.",
        names=", ".join(withheld),
    )
    lines = [
        text("The answers of this installation are in {file}.", file=file),
        text("Install another server with `mstunnel-setup --answers {name} --unattended`.", name=file.name),
    ]
    return Result("changed", AnswerFilePath(file=str(file)), (left_out,) if withheld else (), text=lines)


def _portable(receipt: Receipt, files: Files) -> dict[str, Any]:
    """Return the answers that another server can use, by the path of the setting; secrets are references."""
    given: dict[str, Any] = {
        path: value for path, value in earlier_answers(receipt).items() if path not in _OF_THIS_SERVER
    }
    if joined := JoinedSite.of(receipt):
        given["site"] = joined.id
    if remembered(receipt, "accepted-eula"):
        given["eula"] = "accept"
    # The file with the tenant's roots exists on this server only, so the saved answers hold its text.
    roots = pem_certificates((files.read(TENANT_ROOTS) or b"").decode("ascii", errors="ignore"))
    if roots and "tenant.ca_file" in given:
        given |= {"tenant.ca_file": None, "tenant.ca_pem": roots}
    # Each release of the program names its images, so saved images would pin an old release.
    own = release_images()
    names = {} if own is None else own.references(given.get("images.registry"))
    for name, reference in names.items():
        if given.get(f"images.{name}") == reference:
            del given[f"images.{name}"]
    return given


def _variables(files: Files) -> tuple[dict[str, str], list[str]]:
    """Return the variables of `env.sh`, and the names of the proxies omitted because they hold a password.

    `env.sh` has each proxy in lower and upper case; only the lower-case name is returned.
    """
    content = (files.read(paths.ENVIRONMENT) or b"").decode(errors="replace")
    variables = env_file.parse(content, paths.ENVIRONMENT)
    others = {name: value for name, value in variables.items() if name.lower() not in PROXIES}
    found = {**proxies_of(variables), **others}
    withheld = [str(place.name) for place in proxy_places("", found) if place.credentials]
    return {name: value for name, value in found.items() if name not in withheld}, withheld
