"""Sources of the TLS certificate: the answers, the usual paths, the one in use, or a typed path."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from mstunnel_setup.answers.merge import Answers
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError, UsageError, WaitingError, declare
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import joined, text, with_hint
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.load import IdentitySource, usual_sources
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.install.run import Run

CERTIFICATE_AWAITED = declare(
    WaitingError,
    "certificate-awaited",
    "there is no TLS certificate yet; {places}",
    "Copy the certificate there, then run the command again.",
)
# GnuTLS and other tools can write a PFX file as PEM.
_PFX_AS_PEM = re.compile(rb"-----BEGIN (PKCS12|PFX)-----")
USUAL_PLACES = text(
    "put the chain in PEM at {site_certificate} and its key at {site_key}, or both in "
    "one PFX file at {site_pfx}",
    site_certificate=paths.SITE_CERTIFICATE,
    site_key=paths.SITE_KEY,
    site_pfx=paths.SITE_PFX,
)


def named(answers: Answers) -> IdentitySource:
    """Return the source that the answers name; its paths are empty if they name none."""
    given = answers.certificate
    passphrase = None if given.passphrase is None else str(given.passphrase)
    chain, *further = given.chain or ("",)
    return IdentitySource(
        chain=chain, further=tuple(further), key=given.key or "", pfx=given.pfx or "", passphrase=passphrase
    )


def usual(run: Run) -> tuple[IdentitySource, IdentitySource]:
    """Return the usual paths: PEM files, and a PFX file with the passphrase that the answers name."""
    return usual_sources(run.files, named(run.answers).passphrase)


def present(run: Run) -> IdentitySource | None:
    """Return the named source, else the one at the usual paths; None while one of its files is missing."""
    given = named(run.answers)
    candidates = (given,) if given.paths[0] else usual(run)
    return next((source for source in candidates if source.is_whole(run.files)), None)


def in_use(run: Run) -> IdentitySource | None:
    """Return the certificate that an earlier run placed, if the files it came from are gone."""
    if generations.in_use(run.files) is None:
        return None
    if gone := missing_files(run):
        run.note("Certificate: {paths} cannot be found; the one in use is kept.", paths=" and ".join(gone))
    return generations.source(run.files, paths.ACTIVE)


def missing_files(run: Run) -> list[str]:
    """Return the files that the answers name and that do not exist."""
    read = run.files.read_given
    return [path for path in named(run.answers).paths if path and read(path) is None]


def origins(run: Run) -> set[str]:
    """Return the origins of the certificate settings; `default` for a setting that is not given.

    A path that a person typed in this run counts as an option.
    """
    return {run.answers.origins[f"certificate.{name}"].kind for name in ("chain", "key", "pfx")}


def load(run: Run, source: IdentitySource) -> Identity:
    """Read certificate and key; prompt a person up to three times for the passphrase of a PFX file."""
    asks = 3 if source.passphrase is None and run.console.interactive else 0
    while True:
        try:
            return run.host.load(source)
        except CertificateError as error:
            if not (asks and error.code.startswith("pfx-passphrase")):
                raise
            if error.code in ("pfx-passphrase-wrong", "pfx-passphrase-unneeded"):
                run.console.say("{message}. {hint}", message=error.message, hint=error.hint)
        asks -= 1
        run.passphrase = run.console.ask(text("Passphrase of {pfx}", pfx=source.pfx), secret=True)


def wait(run: Run, judge: Callable[[Identity], Sequence[Problem]]) -> IdentitySource:
    """Wait for the certificate until it is complete and `judge` finds no error in it, and return its source.

    An unattended run raises WaitingError, which names the expected paths.
    """
    given = named(run.answers)
    places = USUAL_PLACES
    if given.paths[0]:
        places = text("expected at {paths}", paths=", ".join(given.paths))
    if not run.console.interactive:
        raise CERTIFICATE_AWAITED(places=places)
    run.console.say(
        "Waiting for the TLS certificate: {context}. It is used as soon as it is complete.", context=places
    )
    while _problem(run, judge) is not None:
        if path := run.console.ask_until(
            "Or enter the path of an existing certificate", lambda: _problem(run, judge)
        ):
            _use(run, path)
    source = present(run)
    if source is None:
        raise CERTIFICATE_AWAITED(places=places)
    return source


def _problem(run: Run, judge: Callable[[Identity], Sequence[Problem]]) -> str | None:
    """Return why the files cannot be used now (they may be half copied).

    Empty while there are no files, None if they can be used.
    """
    try:
        source = present(run)
        identity = None if source is None else run.host.load(source)
    except CertificateError as error:
        # `load` prompts for the passphrase later, so a missing one is no problem here.
        return (
            None
            if error.code.startswith("pfx-passphrase")
            else text("Not usable yet: {message}.", message=error.message)
        )
    except UsageError as error:  # root copied it, and has not changed its owner yet
        return text("Not usable yet: {message}. {hint}", message=error.message, hint=error.hint)
    if identity is None:
        return ""
    errors = [finding.message for finding in judge(identity) if finding.severity is Severity.ERROR]
    return text("Not usable yet: {errors}.", errors=joined(errors, "; ")) if errors else None


def ask_again(run: Run, error: CertificateError) -> None:
    """Prompt for a certificate to replace the one refused with `error`; an unattended run raises `error`."""
    if not run.console.interactive:
        raise error
    run.console.say("Certificate: {problem}", problem=with_hint(error.message, error.hint))
    ask_for_another(run, error)


_READ_AGAIN: Final = text("Path of another certificate (Enter to read it again, or type stop)")


def ask_for_another(run: Run, error: CertificateError, question: str = _READ_AGAIN) -> None:
    """Prompt for the path of another certificate, or wait until a person has corrected the named files.

    Raises `error` when the person stops, and at the end of the input.
    """
    try:
        while typed := run.console.ask(question, default=""):
            if typed.lower() == "stop":
                raise error
            if _use(run, typed):
                return
    except UsageError as ended:
        raise error from ended
    if error.code.startswith("pfx-passphrase"):
        _forget_passphrase(run)


def ask_for_passphrase(run: Run, source: IdentitySource, error: SetupError) -> bool:
    """Have `load` prompt for a passphrase whose file is missing or wrong.

    Returns False for an unattended run, and for a source without a passphrase.
    """
    if source.passphrase is None or not run.console.interactive:
        return False
    run.console.say("Certificate: {problem}", problem=with_hint(error.message, error.hint))
    _forget_passphrase(run)
    return True


def _use(run: Run, path: str) -> bool:
    """Use the certificate at `path`; prompt for its key if that is in another file.

    Returns whether the files can be read; if not, the reason has been shown.
    """
    content = _typed_file(run, path)
    if content is None:
        return False
    values: dict[str, object] = {"certificate.pfx": path}
    if b"-----BEGIN " in content and not _PFX_AS_PEM.search(content):
        key = None
        try:
            holds_key = bool(read_material(content).keys)
        except CertificateError:  # no usable certificate
            holds_key = False
        if not holds_key:
            key = run.console.ask("Path of its private key (PEM)")
            if _typed_file(run, key) is None:
                return False
        values = {"certificate.chain": [path], "certificate.key": key}
    _forget_passphrase(run)
    try:
        run.take(values)
    except UsageError as error:
        run.console.say(error.message)
        return False
    return True


def _typed_file(run: Run, path: str) -> bytes | None:
    """Return the content of a file whose path was typed; if it is unreadable, show why and return None."""
    try:
        content = run.files.read_given(path) if path.startswith("/") else None
    except UsageError as error:
        run.console.say(with_hint(error.message, error.hint))
        return None
    if content is None:
        run.console.say("There is no file {path}. Type its full path, such as /root/site.pfx.", path=path)
    return content


def _forget_passphrase(run: Run) -> None:
    """Forget a passphrase that belongs to another file or is wrong, so that it is prompted for again."""
    run.passphrase = None
    run.take({"certificate.passphrase": None})
