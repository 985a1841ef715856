"""Step `certificate`: find the TLS certificate, check it, and copy it to where the gateway reads it.

Where devices authenticate with certificates, copy their CAs and revocation lists too.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mstunnel_setup.actions.certificates import (
    FreshenIdentity,
    JudgeIdentity,
    PlaceIdentity,
    PlaceKey,
    pending_imports,
)
from mstunnel_setup.actions.files import CopyFile, Link, MakeDirectory, WriteFile
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError, UsageError
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import joined, text, with_hint
from mstunnel_setup.certificates import generations, revocation
from mstunnel_setup.certificates.ca_trust import exposed_keys, readable_keys
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.chain_building import best_path
from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.errors import CERTIFICATE_FILE_MISSING
from mstunnel_setup.certificates.load import IdentitySource, fingerprint, given_pem, key_pem
from mstunnel_setup.certificates.revocation import RevocationStatus, revocation_findings
from mstunnel_setup.install import certificate_source, device_certificates
from mstunnel_setup.install.certificate_source import CERTIFICATE_AWAITED
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.steps import images
from mstunnel_setup.install.steps.sign_in import http_session
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_SHOWN_ONCE = ("private-ca", "root-not-trusted")


@dataclass(frozen=True)
class Certificate:
    """A certificate that was read: where from, its name, and the copies for the usual places.

    `returning` is whether its generation exists here already while another is in use; `judged_by` is the
    gateway's image where it has to load the certificate before that replaces another; `of_devices` are the
    actions that place what certificates of devices are checked with.
    """

    source: IdentitySource
    identity: Identity = field(repr=False)
    copies: tuple[Action, ...] = ()
    returning: bool = False
    judged_by: str = ""
    of_devices: tuple[Action, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The name of its generation."""
        return fingerprint(self.identity)


def _gather(context: Context) -> Certificate:
    refuse_gone(context)
    found = suitable(context, address(context))
    replaces = generations.linked(context.host.files) not in (None, found.fingerprint)
    return replace(
        found,
        judged_by=images.for_judgement(context) if replaces else "",
        of_devices=tuple(device_certificates.placing(context)),
    )


def suitable(
    context: Context,
    public_address: str | None,
    refused: Callable[[Context, CertificateError], None] = certificate_source.ask_again,
) -> Certificate:
    """The certificate to use at `public_address`: found, read and judged.

    Raises CertificateError unattended; a person is asked for another one until it can be used, or they stop.
    `refused` asks for it, or raises.
    """
    while True:
        source = (
            certificate_source.present(context)
            or certificate_source.in_use(context)
            or certificate_source.wait(context, lambda found: findings(context, found, public_address))
        )
        try:
            certificate = _or_in_use(context, _read(context, source))
            context.cache.identity = certificate.identity
            examine(context, certificate.identity, public_address)
            tell(context, [*revocation_findings(ask_authorities(context, certificate.identity))])
        except CertificateError as error:
            of_passphrase = error.code.startswith("pfx-passphrase")
            if not (of_passphrase and certificate_source.ask_for_passphrase(context, source, error)):
                refused(context, error)
        except UsageError as error:
            if not certificate_source.ask_for_passphrase(context, source, error):
                raise
        else:
            return certificate


def find(context: Context) -> Certificate:
    """Read the certificate to import: named in this run, or else at its usual place; it is not judged here.

    Files named in an earlier run only are used instead where they hold a later certificate than the usual
    place, and than the one in use: they were renewed in place, as certbot does.

    Raises CertificateError, and WaitingError when there is none yet.
    """
    named = certificate_source.named(context.answers)
    origins = certificate_source.origins(context)
    named_earlier = "earlier" in origins <= {"earlier", "default"}
    if named.paths[0] and not named_earlier:
        if "earlier" in origins and named.key:
            context.note("Certificate: the key is {key}, which an earlier run named.", key=named.key)
        return _read(context, named)
    usual = certificate_source.usual(context)
    pem, pfx = (source if source.is_whole(context.host.files) else None for source in usual)
    # A renewal as PFX leaves the earlier PEM files in place.
    source = pfx if pem is None or (pfx is not None and _is_linked(context, pem)) else pem
    at_usual_place = None if source is None else _read(context, source)
    renewed = _renewed(context, named, at_usual_place) if named_earlier else None
    found = renewed or at_usual_place
    if found is None:
        raise CERTIFICATE_AWAITED(places=certificate_source.USUAL_PLACES)
    return found


def _renewed(
    context: Context, named: IdentitySource, at_usual_place: Certificate | None
) -> Certificate | None:
    """What is `named` where it was issued last; with nothing at the usual place also where it is in use."""
    if not named.is_whole(context.host.files):
        return None
    try:
        leaf = context.host.load(named).leaf
    except SetupError as error:  # also a passphrase that is not available
        paths_named, problem = " and ".join(named.paths), error.message
        context.note("Certificate: {paths} is not used: {problem}.", paths=paths_named, problem=problem)
        return None
    others = [generations.leaf_in_use(context.host.files), at_usual_place and at_usual_place.identity.leaf]
    later = all(generations.is_later(leaf, other) for other in others if other)
    in_use = at_usual_place is None and _is_linked(context, named)
    return _read(context, named) if later or in_use else None


def _is_linked(context: Context, source: IdentitySource) -> bool:
    """Whether the certificate there is in use already; what cannot be read is not."""
    try:
        return fingerprint(context.host.load(source)) == generations.linked(context.host.files)
    except CertificateError:
        return False


def _read(context: Context, source: IdentitySource) -> Certificate:
    identity = certificate_source.load(context, source)
    for finding in (*exposed_keys(context.host.files), *readable_keys(context.host.files, source.paths)):
        context.note("Certificate: {message}. {hint}", message=finding.message, hint=finding.hint)
    return Certificate(source, identity, tuple(copies(context, source, identity)))


def _or_in_use(context: Context, found: Certificate) -> Certificate:
    """`found`, or the one in use where using `found` would be a step back, or before its time.

    Until a gateway has served the one in use, everything replaces it. After that, what an option or a
    variable of this run or a person names replaces it, even if it is older; what the answer file or an
    earlier run names, only when it was issued later: `mst-cli import_cert` may have put the one in use there
    since. What is at the usual place replaces it unless it is older or ends earlier.
    """
    current = generations.in_use(context.host.files)
    if current is None or fingerprint(current) == found.fingerprint:
        return found
    served = any(entry.step == "launch" for entry in context.receipt.entries.values())
    origins = certificate_source.origins(context)
    free = not served or not origins.isdisjoint({"option", "environment"})
    if found.fingerprint in {pending.fingerprint for pending in pending_imports(context.receipt)}:
        reason = text("is scheduled for a later time")
    elif not free and origins != {"default"} and not generations.is_later(found.identity.leaf, current.leaf):
        reason = text(
            "was not issued after the one in use; to use it again, name it with `mst-cli import_cert`"
        )
    elif not free and generations.is_step_back(found.identity.leaf, current.leaf):
        reason = text("ends before the one in use or is older; `mst-cli import_cert --yes` uses it")
    else:
        exists = context.host.files.state(generations.directory(found.fingerprint)) is not None
        return replace(found, returning=exists)
    named = " and ".join(found.source.paths)
    context.note("Certificate: the one in {paths} {reason}.", paths=named, reason=reason)
    return Certificate(generations.source(context.host.files, paths.ACTIVE), current)


def address(context: Context) -> str | None:
    """The public address of the site joined earlier; None before the step `site`, which judges it itself."""
    return context.joined_site.public_address or None if context.joined_site else None


def findings(
    context: Context, identity: Identity, public_address: str | None, now: datetime | None = None
) -> tuple[Problem, ...]:
    """The findings about the identity, as of `now`. A self-signed one is for lab tenants only."""
    return judge(
        identity,
        public_address=public_address,
        now=now or context.host.clock.now(),
        trusted_roots=context.host.system_roots,
        private_roots=context.host.private_roots,
        allow_self_signed=context.answers.tenant.cloud == "custom",
    )


def examine(
    context: Context, identity: Identity, public_address: str | None, now: datetime | None = None
) -> None:
    """Judge the identity: errors raise CertificateError, which names them all; the rest is shown.

    What devices need to trust a private CA is shown until the certificate is in use, not at every run.
    """
    found = findings(context, identity, public_address, now)
    if fingerprint(identity) == generations.linked(context.host.files):
        found = tuple(finding for finding in found if finding.code not in _SHOWN_ONCE)
    tell(context, found)


def refuse(found: Sequence[Problem]) -> None:
    """Raise CertificateError where there are errors: it names them all, code and hint are the first one's."""
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors:
        raise CertificateError(
            errors[0].code, joined((error.message for error in errors), "; "), errors[0].hint
        )


def tell(context: Context, found: Sequence[Problem]) -> None:
    """Show the warnings, and everything else that needs action; raises as `refuse` does."""
    refuse(found)
    for finding in found:
        if finding.severity is Severity.WARNING or finding.hint:
            context.note("Certificate: {problem}", problem=with_hint(finding.message, finding.hint))


def ask_authorities(context: Context, identity: Identity) -> tuple[RevocationStatus, ...]:
    """Ask responders and lists about every certificate of the path to its root, the leaf first.

    Raises nothing.
    """
    roots, now = context.host.trusted_roots, context.host.clock.now()
    path = best_path(identity.leaf, identity.given or identity.chain, roots, now)
    http = http_session(context, timeout=5, deadline=5)
    try:
        return revocation.ask(path.certificates, revocation.fetching(http), now)
    finally:
        http.close()


def keep_revocation(context: Context, identity: Identity, found: Sequence[RevocationStatus]) -> None:
    """Keep the answer for commands that must not wait for the network."""
    now, name = context.host.clock.now(), fingerprint(identity)
    revocation.keep(context.host.files, revocation.ASKED_BY_COMMANDS, name, found, now)


def refuse_gone(context: Context) -> None:
    """Raise CertificateError for a file that is named for the first time and missing, where one is in use.

    The one in use would be kept without a word; while there is none, the file is waited for. A person is
    asked for another one.
    """
    named_now = context.is_new("certificate.chain", "certificate.key", "certificate.pfx")
    while named_now and (gone := certificate_source.missing_files(context)):
        if generations.in_use(context.host.files) is None:
            break
        certificate_source.ask_again(context, CERTIFICATE_FILE_MISSING(path=gone[0]))
    device_certificates.refuse_gone(context)


def copies(context: Context, source: IdentitySource, identity: Identity) -> Iterator[Action]:
    """The actions that copy files given elsewhere to the usual places; a link there is an administrator's.

    Others may read `site.crt`, and the file given may hold more than certificates: it is written again.
    """
    files = context.host.files

    def is_wanted(given: tuple[str, ...], place: str) -> bool:
        state = files.state(place)
        return given != (str(files.locate(place)),) and (state is None or state.kind != "link")

    if source.pfx:
        if is_wanted((source.pfx,), paths.SITE_PFX):
            digest = str(files.digest_given(source.pfx))
            yield CopyFile(source=source.pfx, digest=digest, path=paths.SITE_PFX, mode=0o600)
        return
    if is_wanted(source.certificates, paths.SITE_CERTIFICATE):
        yield WriteFile(path=paths.SITE_CERTIFICATE, text=given_pem(identity).decode())
    if is_wanted((source.key,), paths.SITE_KEY):
        digest = hashlib.sha256(key_pem(identity)).hexdigest()
        yield PlaceKey(path=paths.SITE_KEY, source=source, digest=digest)


def placing(certificate: Certificate) -> tuple[Action, ...]:
    """The actions that make a generation of the certificate."""
    generation = generations.directory(certificate.fingerprint)
    return (
        MakeDirectory(path=paths.GENERATIONS, mode=paths.PRIVATE_MODE),
        MakeDirectory(path=generation, mode=paths.PRIVATE_MODE),
        PlaceIdentity(directory=generation, source=certificate.source, fingerprint=certificate.fingerprint),
    )


def switching(name: str) -> Link:
    """The action that takes the generation `name` into use."""
    return Link(path=paths.ACTIVE, target=generations.target(name))


def _decide(certificate: Certificate) -> Sequence[Action]:
    name = certificate.fingerprint
    judged = (JudgeIdentity(name=name, image=certificate.judged_by),) if certificate.judged_by else ()
    fresh = (FreshenIdentity(name=name),) if certificate.returning else ()
    placed = placing(certificate)
    return (*certificate.copies, *placed, *judged, *fresh, switching(name), *certificate.of_devices)


STEP = Step("certificate", text("TLS certificate"), _gather, _decide, missing=device_certificates.missing)
