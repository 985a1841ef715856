"""Step `certificate`: find the TLS certificate, judge it, and put it where the gateway reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import CopyFile, Link, MakeDirectory
from mstunnel_setup.engine.remember import remembered
from mstunnel_setup.engine.step import Step
from mstunnel_setup.errors import CertificateError, WaitingError
from mstunnel_setup.steps.context import Context
from mstunnel_setup.tls.actions import IdentitySource, PlaceIdentity
from mstunnel_setup.tls.judge import judge
from mstunnel_setup.tls.load import fingerprint
from mstunnel_setup.tls.model import Identity, Severity

_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Certificate:
    """A judged certificate: where it is read from, its name, and the copies for the usual places."""

    source: IdentitySource
    fingerprint: str
    copies: tuple[CopyFile, ...]


def _gather(context: Context) -> Certificate:
    source = _source(context) or _wait(context)
    identity = _load(context, source)
    context.identity = identity
    examine(context, identity, _address(context))
    return Certificate(source, fingerprint(identity), _copies(context, source))


def _address(context: Context) -> str | None:
    """The public address of the site joined earlier; None before the step `site`, which judges it itself."""
    joined = remembered(context.receipt, "joined-site")
    return str(joined["public_address"]) or None if isinstance(joined, dict) else None


def _load(context: Context, source: IdentitySource) -> Identity:
    """Read the identity; a person is asked for the passphrase of a PFX file."""
    if source.pfx and source.passphrase is None and context.prompter.interactive:
        context.world.typed_passphrase = context.prompter.ask(f"Passphrase of {source.pfx}", secret=True)
    return source.load(context.world)


def examine(context: Context, identity: Identity, public_address: str | None) -> None:
    """Judge the identity: errors raise CertificateError (all named, the first gives the code), warnings are said.

    A self-signed certificate is for lab tenants only.
    """
    findings = judge(
        identity,
        public_address=public_address,
        now=context.world.clock.now(),
        trusted_roots=context.world.system_roots,
        private_roots=context.world.private_roots,
        allow_self_signed=context.answers.tenant.cloud == "custom",
    )
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise CertificateError(errors[0].id, "; ".join(error.message for error in errors), errors[0].hint)
    for finding in findings:
        if finding.severity is Severity.WARNING:
            context.prompter.say(f"Certificate: {finding.message}. {finding.hint}".rstrip())


def _source(context: Context) -> IdentitySource | None:
    """Where the certificate is: named by an answer, or at its usual place; None when nothing is there yet."""
    given = context.answers.certificate
    if given.pfx or given.chain:
        passphrase = None if given.passphrase is None else str(given.passphrase)
        source = IdentitySource(
            chain=given.chain or "", key=given.key or "", pfx=given.pfx or "", passphrase=passphrase
        )
        return source if all(_there(context, path) for path in source.paths) else None
    for source in _usual(context):
        if all(_there(context, path) for path in source.paths):
            return source
    return None


def _usual(context: Context) -> tuple[IdentitySource, ...]:
    locate = context.world.files.locate
    return (
        IdentitySource(chain=str(locate(paths.SITE_CERTIFICATE)), key=str(locate(paths.SITE_KEY))),
        IdentitySource(pfx=str(locate(paths.SITE_PFX))),
    )


def _there(context: Context, path: str) -> bool:
    return context.world.files.read_given(path) is not None


def _wait(context: Context) -> IdentitySource:
    """Say where the certificate belongs, and take it as soon as it is there and complete."""
    places = _places(context)
    if not context.prompter.interactive:
        raise WaitingError(
            "certificate-missing", f"there is no TLS certificate yet; {places}", "Put it there and run again."
        )
    context.prompter.say(
        f"Waiting for the TLS certificate: {places}. Ctrl-C stops; a later run continues here."
    )
    while True:
        context.world.clock.sleep(_POLL_SECONDS)
        source = _source(context)
        if source is not None and _complete(context, source):
            return source


def _places(context: Context) -> str:
    given = context.answers.certificate
    if given.pfx or given.chain:
        named = (given.pfx,) if given.pfx else (given.chain, given.key)
        return "expected at " + " and ".join(str(path) for path in named)
    return (
        f"put the chain in PEM at {paths.SITE_CERTIFICATE} and its key at {paths.SITE_KEY}, "
        f"or both in one PFX file at {paths.SITE_PFX}"
    )


def _complete(context: Context, source: IdentitySource) -> bool:
    """Whether the files are more than half copied: they can be read, or a passphrase is still to come."""
    if source.pfx:
        return True
    try:
        source.load(context.world)
    except CertificateError as error:
        context.prompter.say(f"Not usable yet: {error.message}")
        return False
    return True


def _copies(context: Context, source: IdentitySource) -> tuple[CopyFile, ...]:
    """Copies to the usual places of what was given elsewhere."""
    wanted = (
        ((source.pfx, paths.SITE_PFX, 0o600),)
        if source.pfx
        else ((source.chain, paths.SITE_CERTIFICATE, 0o644), (source.key, paths.SITE_KEY, 0o600))
    )
    files = context.world.files
    return tuple(
        CopyFile(source=given, digest=str(files.digest_given(given)), path=place, mode=mode)
        for given, place, mode in wanted
        if given != str(files.locate(place))
    )


def _decide(certificate: Certificate) -> Sequence[Action[Any]]:
    generation = f"{paths.GENERATIONS}/{certificate.fingerprint}"
    return (
        *certificate.copies,
        MakeDirectory(path=paths.GENERATIONS, mode=0o700),
        MakeDirectory(path=generation, mode=0o700),
        PlaceIdentity(directory=generation, source=certificate.source, fingerprint=certificate.fingerprint),
        Link(path=paths.ACTIVE, target=f"generations/{certificate.fingerprint}"),
    )


STEP = Step("certificate", "TLS certificate", _gather, _decide)
