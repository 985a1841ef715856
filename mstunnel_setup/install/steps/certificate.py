"""Step `certificate`: find the TLS certificate, check it, and copy it to where the gateway reads it.

Where devices authenticate with certificates, copy their CAs and revocation lists too.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from mstunnel_setup.actions import containers
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
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install import certificate_source, device_certificates, renewal_hook
from mstunnel_setup.install.certificate_source import CERTIFICATE_AWAITED
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment, images
from mstunnel_setup.install.steps.sign_in import http_session
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_SHOWN_ONCE = ("private-ca", "root-not-trusted")


@dataclass(frozen=True)
class Certificate:
    """A certificate that was read: its source, its name, and the copies for the usual paths.

    `returning` is true if its generation exists already while another is in use; `judged_by` is the
    gateway's image if that has to load the certificate before it replaces another; `of_devices` are the
    actions that place the CAs and CRLs for device certificates, `of_renewals` those that write the renewal
    hook; `loaded` identifies the files that the gateway reads before the step.
    """

    source: IdentitySource
    identity: Identity = field(repr=False)
    copies: tuple[Action, ...] = ()
    returning: bool = False
    judged_by: str = ""
    of_devices: tuple[Action, ...] = ()
    of_renewals: tuple[Action, ...] = ()
    loaded: tuple[str | None, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the leaf, which names the certificate's generation."""
        return fingerprint(self.identity)


def _gather(run: Run) -> Certificate:
    refuse_gone(run)
    found = suitable(run, address(run))
    replaces = generations.linked(run.files) not in (None, found.fingerprint)
    return replace(
        found,
        judged_by=images.for_judgement(run) if replaces else "",
        of_devices=tuple(device_certificates.placing(run)),
        of_renewals=renewal_hook.answered(run, address(run)),
        loaded=_loaded(run.files),
    )


def _loaded(files: Files) -> tuple[str | None, ...]:
    """Return the state of this step's files: the gateway's certificate, the device CAs and the CRLs."""
    return generations.linked(files), *map(files.digest, (DEVICE_AUTHORITY, DEVICE_REVOCATIONS))


def suitable(
    run: Run,
    public_address: str | None,
    refused: Callable[[Run, CertificateError], None] = certificate_source.ask_again,
) -> Certificate:
    """Find, read and check the certificate to use at `public_address`.

    An unattended run raises CertificateError; a person is prompted until a certificate can be used, or they
    stop. `refused` prompts for another one, or raises.
    """
    while True:
        source = (
            certificate_source.present(run)
            or certificate_source.in_use(run)
            or certificate_source.wait(run, lambda found: findings(run, found, public_address))
        )
        try:
            certificate = _or_in_use(run, _read(run, source))
            run.identity = certificate.identity
            examine(run, certificate.identity, public_address)
            tell(run, [*revocation_findings(ask_authorities(run, certificate.identity))])
        except CertificateError as error:
            of_passphrase = error.code.startswith("pfx-passphrase")
            if not (of_passphrase and certificate_source.ask_for_passphrase(run, source, error)):
                refused(run, error)
        except UsageError as error:
            if not certificate_source.ask_for_passphrase(run, source, error):
                raise
        else:
            return certificate


def find(run: Run) -> Certificate:
    """Read the certificate to import: the one named in this run, else at the usual paths; it is not checked.

    Files that only an earlier run named are used instead if their certificate is later than those at the
    usual paths and in use: they were renewed in place, as certbot does.

    Raises CertificateError, and WaitingError if there is no certificate yet.
    """
    named = certificate_source.named(run.answers)
    origins = certificate_source.origins(run)
    named_earlier = "earlier" in origins <= {"earlier", "default"}
    if named.paths[0] and not named_earlier:
        if "earlier" in origins and named.key:
            run.note("Certificate: the key is {key}, which an earlier run named.", key=named.key)
        return _read(run, named)
    usual = certificate_source.usual(run)
    pem, pfx = (source if source.is_whole(run.files) else None for source in usual)
    # A renewal as PFX leaves the PEM files in use in place, so the PFX file takes precedence over them.
    source = pfx if pem is None or (pfx is not None and _is_linked(run, pem)) else pem
    at_usual_place = None if source is None else _read(run, source)
    renewed = _renewed(run, named, at_usual_place) if named_earlier else None
    found = renewed or at_usual_place
    if found is None:
        raise CERTIFICATE_AWAITED(places=certificate_source.USUAL_PLACES)
    return found


def _renewed(run: Run, named: IdentitySource, at_usual_place: Certificate | None) -> Certificate | None:
    """Return the `named` certificate if it is the latest; None otherwise.

    With no certificate at the usual paths, it may also be the one in use.
    """
    if not named.is_whole(run.files):
        return None
    try:
        leaf = run.host.load(named).leaf
    except SetupError as error:  # including a passphrase that is not available
        paths_named, problem = " and ".join(named.paths), error.message
        run.note("Certificate: {paths} is not used: {problem}.", paths=paths_named, problem=problem)
        return None
    others = [generations.leaf_in_use(run.files), at_usual_place and at_usual_place.identity.leaf]
    later = all(generations.is_later(leaf, other) for other in others if other)
    in_use = at_usual_place is None and _is_linked(run, named)
    return _read(run, named) if later or in_use else None


def _is_linked(run: Run, source: IdentitySource) -> bool:
    """Return whether the certificate from this source is in use; False if it cannot be read."""
    try:
        return fingerprint(run.host.load(source)) == generations.linked(run.files)
    except CertificateError:
        return False


def _read(run: Run, source: IdentitySource) -> Certificate:
    identity = certificate_source.load(run, source)
    for finding in (*exposed_keys(run.files), *readable_keys(run.files, source.paths)):
        run.note("Certificate: {message}. {hint}", message=finding.message, hint=finding.hint)
    return Certificate(source, identity, tuple(copies(run, source, identity)))


def _or_in_use(run: Run, found: Certificate) -> Certificate:
    """Return `found`, or the certificate in use if `found` is older or not yet due.

    Until a gateway has served the one in use, any certificate replaces it. After that, one named by an option
    or a variable of this run or by a person replaces it, even if it is older; one named by the answer file or
    an earlier run only if it was issued later, since `mst-cli import_cert` may have imported a newer one. A
    certificate at the usual paths replaces it unless it is older or expires earlier.
    """
    current = generations.in_use(run.files)
    if current is None or fingerprint(current) == found.fingerprint:
        return found
    served = any(entry.step == "launch" for entry in run.receipt.entries.values())
    origins = certificate_source.origins(run)
    free = not served or not origins.isdisjoint({"option", "environment"})
    if found.fingerprint in {pending.fingerprint for pending in pending_imports(run.receipt)}:
        reason = text("is scheduled for a later time")
    elif not free and origins != {"default"} and not generations.is_later(found.identity.leaf, current.leaf):
        reason = text(
            "was not issued after the one in use; to use it again, name it with `mst-cli import_cert`"
        )
    elif not free and generations.is_step_back(found.identity.leaf, current.leaf):
        reason = text("ends before the one in use or is older; `mst-cli import_cert --yes` uses it")
    else:
        exists = run.files.state(generations.directory(found.fingerprint)) is not None
        return replace(found, returning=exists)
    named = " and ".join(found.source.paths)
    run.note("Certificate: the one in {paths} {reason}.", paths=named, reason=reason)
    return Certificate(generations.source(run.files, paths.ACTIVE), current)


def address(run: Run) -> str | None:
    """Return the public address of the joined site; None before the step `site`, which checks it itself."""
    return run.joined_site.public_address or None if run.joined_site else None


def findings(
    run: Run, identity: Identity, public_address: str | None, now: datetime | None = None
) -> tuple[Problem, ...]:
    """Return the findings about certificate and key, as of `now`; only a lab accepts a self-signed one."""
    return judge(
        identity,
        public_address=public_address,
        now=now or run.host.clock.now(),
        trusted_roots=run.host.system_roots,
        private_roots=run.host.private_roots,
        allow_self_signed=run.answers.tenant.cloud == "custom",
    )


def examine(run: Run, identity: Identity, public_address: str | None, now: datetime | None = None) -> None:
    """Check certificate and key. Raises CertificateError, which names all errors; other findings are shown.

    How devices learn to trust a private CA is shown only until the certificate is in use.
    """
    found = findings(run, identity, public_address, now)
    if fingerprint(identity) == generations.linked(run.files):
        found = tuple(finding for finding in found if finding.code not in _SHOWN_ONCE)
    tell(run, found)


def refuse(found: Sequence[Problem]) -> None:
    """Raise CertificateError if there are errors: it names all, with the code and hint of the first."""
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors:
        raise CertificateError(
            errors[0].code, joined((error.message for error in errors), "; "), errors[0].hint
        )


def tell(run: Run, found: Sequence[Problem]) -> None:
    """Show the warnings and other findings that need action. Raises as `refuse` does."""
    refuse(found)
    for finding in found:
        if finding.severity is Severity.WARNING or finding.hint:
            run.note("Certificate: {problem}", problem=with_hint(finding.message, finding.hint))


def ask_authorities(run: Run, identity: Identity) -> tuple[RevocationStatus, ...]:
    """Return the revocation status, from OCSP and CRLs, of each certificate of the path, the leaf first.

    Raises nothing: an unreachable responder is a status, too.
    """
    roots, now = run.host.trusted_roots, run.host.clock.now()
    path = best_path(identity.leaf, identity.given or identity.chain, roots, now)
    http = http_session(run, timeout=5, deadline=5)
    try:
        return revocation.ask(path.certificates, revocation.fetching(http), now)
    finally:
        http.close()


def keep_revocation(run: Run, identity: Identity, found: Sequence[RevocationStatus]) -> None:
    """Store the revocation status for commands that must not wait for the network."""
    now, name = run.host.clock.now(), fingerprint(identity)
    revocation.keep(run.files, revocation.ASKED_BY_COMMANDS, name, found, now)


def refuse_gone(run: Run) -> None:
    """Raise CertificateError for a newly named file that is missing while another certificate is in use.

    Otherwise the one in use would silently be kept. While none is in use, the file is awaited. A person is
    prompted for another one.
    """
    named_now = run.is_new("certificate.chain", "certificate.key", "certificate.pfx")
    while named_now and (gone := certificate_source.missing_files(run)):
        if generations.in_use(run.files) is None:
            break
        certificate_source.ask_again(run, CERTIFICATE_FILE_MISSING(path=gone[0]))
    device_certificates.refuse_gone(run)


def copies(run: Run, source: IdentitySource, identity: Identity) -> Iterator[Action]:
    """Yield the actions that copy the given files to the usual paths; an administrator's link there stays.

    All users may read `site.crt`, so only the certificates of the given file are written to it.
    """
    files = run.files

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
    """Return the actions that create a generation of the certificate."""
    generation = generations.directory(certificate.fingerprint)
    return (
        MakeDirectory(path=paths.GENERATIONS, mode=paths.PRIVATE_MODE),
        MakeDirectory(path=generation, mode=paths.PRIVATE_MODE),
        PlaceIdentity(directory=generation, source=certificate.source, fingerprint=certificate.fingerprint),
    )


def switching(name: str) -> Link:
    """Return the action that activates the generation `name`."""
    return Link(path=paths.ACTIVE, target=generations.target(name))


def _decide(certificate: Certificate) -> Sequence[Action]:
    name = certificate.fingerprint
    judged = (JudgeIdentity(name=name, image=certificate.judged_by),) if certificate.judged_by else ()
    fresh = (FreshenIdentity(name=name),) if certificate.returning else ()
    placed = placing(certificate)
    more = (*certificate.of_devices, *certificate.of_renewals)
    return (*certificate.copies, *placed, *judged, *fresh, switching(name), *more)


def _prove(run: Run, certificate: Certificate) -> None:
    """Reload the gateway if its files changed: a new CRL must not wait for the periodic check."""
    if "launch" in run.receipt.steps and _loaded(run.files) != certificate.loaded:
        with suppress(SetupError):
            containers.reload_gateway(run.host)


def _refuse(run: Run, steps: Collection[str]) -> None:
    """Check the certificate that an unattended run will use, if it exists already. Raises CertificateError.

    Once an installation has begun, only newly named files are checked.
    """
    environment.refuse_early(run, steps, "certificate", paths.CERTIFICATES, "environment")
    renewal_hook.refuse_absent(run)
    if run.receipt.entries:
        refuse_gone(run)
    elif not run.console.interactive and (source := certificate_source.present(run)) is not None:
        refuse(findings(run, certificate_source.load(run, source), None))


STEP = Step(
    "certificate",
    text("TLS certificate"),
    _gather,
    _decide,
    _prove,
    missing=device_certificates.missing,
    refuse=_refuse,
    obsolete=renewal_hook.obsolete,
)
