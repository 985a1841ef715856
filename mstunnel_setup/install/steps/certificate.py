"""Step `certificate`: find the TLS certificate, check it, and copy it to where the gateway reads it.

What the gateway checks the devices' certificates with, where they have some, is placed as well.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NoReturn

from mstunnel_setup.actions.certificate_schedule import pending_imports
from mstunnel_setup.actions.certificates import PlaceIdentity, PlaceKey
from mstunnel_setup.actions.files import CopyFile, Link, MakeDirectory, WriteFile
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError, UsageError
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.ca_trust import exposed_keys, readable_keys
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.errors import CERTIFICATE_FILE_MISSING
from mstunnel_setup.certificates.judge import judge
from mstunnel_setup.certificates.load import IdentitySource, fingerprint, given_pem, key_pem
from mstunnel_setup.install import device_certificates, revocation
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.errors import CERTIFICATE_AWAITED
from mstunnel_setup.install.ports import Ports
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_LIES_ALREADY = text("Or type the path where it lies already")
_USUAL_PLACES = text(
    "put the chain in PEM at {site_certificate} and its key at {site_key}, or both in "
    "one PFX file at {site_pfx}",
    site_certificate=paths.SITE_CERTIFICATE,
    site_key=paths.SITE_KEY,
    site_pfx=paths.SITE_PFX,
)
_ANOTHER = text("Path of another certificate (Enter to read it again, or type stop)")
_STOP = "stop"
_PEM = b"-----BEGIN "
_PASSPHRASE_ASKS = 3
_SAID_ONCE = ("private-ca", "root-not-trusted")


@dataclass(frozen=True)
class Certificate:
    """A certificate that was read: where from, its name, and the copies for the usual places.

    `returning` is whether its generation lies here already while another is in use; `of_devices` are the
    actions that place what certificates of devices are checked with.
    """

    source: IdentitySource
    identity: Identity = field(repr=False)
    copies: tuple[Action[Ports], ...] = ()
    returning: bool = False
    of_devices: tuple[Action[Ports], ...] = ()

    @property
    def fingerprint(self) -> str:
        """The name of its generation."""
        return fingerprint(self.identity)


def _gather(context: Context) -> Certificate:
    refuse_gone(context)
    found = suitable(context, address(context))
    return replace(found, of_devices=tuple(device_certificates.placing(context)))


def suitable(context: Context, public_address: str | None) -> Certificate:
    """The certificate to use at `public_address`: found, read and judged.

    Raises CertificateError unattended; a person is asked for another one until it can be used, or they stop.
    """
    while True:
        source = _source(context) or _source_in_use(context) or _wait(context, public_address)
        try:
            found = _kept(context, _read(context, source))
            context.gathered.identity = found.identity
            examine(context, found.identity, public_address)
            refuse_revoked(context, found.identity)
        except CertificateError as error:
            if not (error.code.startswith("pfx-passphrase") and _has_it_typed(context, source, error)):
                _ask_again(context, error)
        except UsageError as error:
            if not _has_it_typed(context, source, error):
                raise
        else:
            return found


def present(context: Context) -> Identity | None:
    """The certificate that a run would take, not judged yet; None while it is awaited."""
    source = _source(context)
    return None if source is None else _load(context, source)


def find(context: Context) -> Certificate:
    """Read the certificate to import: named in this run, or else at its usual place; it is not judged here.

    Files named in an earlier run only are taken instead where they hold a later certificate than the usual
    place, and than the one in use: they were renewed where they lie, as certbot does.

    Raises CertificateError, and WaitingError when there is none yet.
    """
    given = _given(context)
    remembered_only = _is_remembered(context)
    if given.paths[0] and not remembered_only:
        return _read(context, given)
    usual_one = _at_usual_place(context)
    renewed = _renewed(context, given, usual_one) if remembered_only else None
    found = renewed or usual_one
    if found is None:
        raise CERTIFICATE_AWAITED(places=_USUAL_PLACES)
    return found


def _at_usual_place(context: Context) -> Certificate | None:
    pem, pfx = (source if _is_whole(context, source) else None for source in usual(context))
    # A renewal as PFX leaves the earlier PEM files in place.
    source = pfx if pem is None or (pfx is not None and _is_linked(context, pem)) else pem
    return None if source is None else _read(context, source)


def _renewed(context: Context, given: IdentitySource, usual_one: Certificate | None) -> Certificate | None:
    """What is `given` where it was issued last; without `usual_one` also where it is in use already."""
    if not _is_whole(context, given):
        return None
    try:
        leaf = given.load(context.ports).leaf
    except SetupError as error:  # also a passphrase that is not to be had
        context.note(f"Certificate: {' and '.join(given.paths)} is not used: {error.message}.")
        return None
    others = [generations.leaf_in_use(context.ports), usual_one and usual_one.identity.leaf]
    later = all(generations.is_later(leaf, other) for other in others if other)
    return _read(context, given) if later or (usual_one is None and _is_linked(context, given)) else None


def _is_linked(context: Context, source: IdentitySource) -> bool:
    """Whether what lies there is in use already; what cannot be read is not."""
    try:
        return fingerprint(source.load(context.ports)) == generations.linked(context.ports)
    except CertificateError:
        return False


def _read(context: Context, source: IdentitySource) -> Certificate:
    identity = _load(context, source)
    for finding in (*exposed_keys(context.ports), *readable_keys(context.ports, source.paths)):
        context.note(text("Certificate: {message}. {hint}", message=finding.message, hint=finding.hint))
    return Certificate(source, identity, tuple(copies(context, source, identity)))


def _kept(context: Context, found: Certificate) -> Certificate:
    """`found`, or the one in use where taking `found` would be a step back, or before its time.

    What only an earlier run has named is taken when it was issued after the one in use. What this run names
    is taken even if it is older, and so is everything until a gateway has served the one in use.
    """
    current = generations.in_use(context.ports)
    if current is None or fingerprint(current) == found.fingerprint:
        return found
    chosen = not _is_served(context) or _is_named_now(context)
    if found.fingerprint in {pending.fingerprint for pending in pending_imports(context.receipt)}:
        reason = text("is scheduled for a later time")
    elif (
        not chosen and _is_remembered(context) and not generations.is_later(found.identity.leaf, current.leaf)
    ):
        reason = text(
            "was not issued after the one in use; to use it again, name it with `mst-cli import_cert`"
        )
    elif not chosen and generations.is_older(found.identity.leaf, current.leaf):
        reason = text("is older than the one in use; `mst-cli import_cert --yes` uses it again")
    else:
        lies_here = context.ports.files.state(generations.directory(found.fingerprint)) is not None
        return replace(found, returning=lies_here)
    context.note(f"Certificate: the one in {' and '.join(found.source.paths)} {reason}.")
    return Certificate(generations.source(context.ports, paths.ACTIVE), current)


def _is_served(context: Context) -> bool:
    """Whether the gateway may have served the certificate in use: its start has begun."""
    return any(entry.step == "launch" for entry in context.receipt.entries.values())


def address(context: Context) -> str | None:
    """The public address of the site joined earlier; None before the step `site`, which judges it itself."""
    joined = remembered(context.receipt, "joined-site")
    return str(joined["public_address"]) or None if isinstance(joined, dict) else None


def _load(context: Context, source: IdentitySource) -> Identity:
    """Read the identity; a person is asked for the passphrase of a PFX file that has one, some times."""
    asks = _PASSPHRASE_ASKS if source.passphrase is None and context.prompter.interactive else 0
    while True:
        try:
            return source.load(context.ports)
        except CertificateError as error:
            if not (asks and error.code.startswith("pfx-passphrase")):
                raise
            if error.code in ("pfx-passphrase-wrong", "pfx-passphrase-unneeded"):
                context.prompter.say(text("{message}. {hint}", message=error.message, hint=error.hint))
        asks -= 1
        context.gathered.passphrase = context.prompter.ask(
            text("Passphrase of {pfx}", pfx=source.pfx), secret=True
        )


def findings(
    context: Context, identity: Identity, public_address: str | None, now: datetime | None = None
) -> tuple[Problem, ...]:
    """Everything to say about the identity, as of `now`. A self-signed one is for lab tenants only."""
    return judge(
        identity,
        public_address=public_address,
        now=now or context.ports.clock.now(),
        trusted_roots=context.ports.system_roots,
        private_roots=context.ports.private_roots,
        allow_self_signed=context.answers.tenant.cloud == "custom",
    )


def examine(
    context: Context, identity: Identity, public_address: str | None, now: datetime | None = None
) -> None:
    """Judge the identity: errors raise CertificateError, which names them all; the rest is said.

    What devices need to trust a private CA is said until the certificate is in use, not at every run.
    """
    found = findings(context, identity, public_address, now)
    if fingerprint(identity) == generations.linked(context.ports):
        found = tuple(finding for finding in found if finding.code not in _SAID_ONCE)
    tell(context, found)


def refuse_revoked(context: Context, identity: Identity) -> None:
    """Ask the authority: revoked raises CertificateError; an answer that cannot be had is said."""
    tell(context, revocation.ask(context, identity).findings)


def refuse(found: Sequence[Problem]) -> None:
    """Raise CertificateError where there are errors: it names them all, code and hint are the first one's."""
    errors = [finding for finding in found if finding.severity is Severity.ERROR]
    if errors:
        raise CertificateError(errors[0].code, "; ".join(error.message for error in errors), errors[0].hint)


def tell(context: Context, found: Sequence[Problem]) -> None:
    """Say the warnings, and everything else that needs action; raises as `refuse` does."""
    refuse(found)
    for finding in found:
        if finding.severity is Severity.WARNING or finding.hint:
            context.note(f"Certificate: {finding.message}. {finding.hint}".rstrip())


def _given(context: Context) -> IdentitySource:
    """What the answers name; its paths are empty when they name nothing."""
    given = context.answers.certificate
    passphrase = None if given.passphrase is None else str(given.passphrase)
    chain, *further = given.chain or ("",)
    return IdentitySource(
        chain=chain, further=tuple(further), key=given.key or "", pfx=given.pfx or "", passphrase=passphrase
    )


def _source(context: Context) -> IdentitySource | None:
    """Where the certificate is: named by an answer, or at its usual place; None when nothing is there yet."""
    given = _given(context)
    for source in (given,) if given.paths[0] else usual(context):
        if _is_whole(context, source):
            return source
    return None


def _is_remembered(context: Context) -> bool:
    """Whether the answers name a certificate, and all of it was named in an earlier run."""
    return "earlier" in _kinds(context) <= {"earlier", "default"}


def _is_named_now(context: Context) -> bool:
    """Whether an option, a variable, the answer file or a person names a certificate in this run."""
    return not _kinds(context) <= {"earlier", "default"}


def _kinds(context: Context) -> set[str]:
    """Where the names of the certificate files come from."""
    return {context.answers.origins[f"certificate.{name}"].kind for name in ("chain", "key", "pfx")}


def refuse_gone(context: Context) -> None:
    """Raise CertificateError for a file that is named for the first time and missing, where one is in use.

    The one in use would be kept without a word; while there is none, the file is waited for. A person is
    asked for another one.
    """
    named_now = context.is_new("certificate.chain", "certificate.key", "certificate.pfx")
    while named_now and (gone := _gone(context)) and generations.in_use(context.ports) is not None:
        _ask_again(context, CERTIFICATE_FILE_MISSING(path=gone[0]))
    device_certificates.refuse_gone(context)


def _gone(context: Context) -> list[str]:
    """The files that the answers name and that do not exist."""
    return [path for path in _given(context).paths if path and not _there(context, path)]


def _source_in_use(context: Context) -> IdentitySource | None:
    """What an earlier run has placed, when the files it came from are gone."""
    if generations.in_use(context.ports) is None:
        return None
    if gone := _gone(context):
        context.note(f"Certificate: {' and '.join(gone)} cannot be found; the one in use is kept.")
    return generations.source(context.ports, paths.ACTIVE)


def usual(context: Context) -> tuple[IdentitySource, IdentitySource]:
    """The usual places: PEM, and PFX with the passphrase that the answers name."""
    locate = context.ports.files.locate
    passphrase = _given(context).passphrase
    return (
        IdentitySource(chain=str(locate(paths.SITE_CERTIFICATE)), key=str(locate(paths.SITE_KEY))),
        IdentitySource(pfx=str(locate(paths.SITE_PFX)), passphrase=passphrase),
    )


def _is_whole(context: Context, source: IdentitySource) -> bool:
    return all(_there(context, path) for path in source.paths)


def _there(context: Context, path: str) -> bool:
    return context.ports.files.read_given(path) is not None


def _wait(context: Context, public_address: str | None) -> IdentitySource:
    """Ask for the certificate; it is taken as soon as it is complete and valid, at its place or another."""
    if not context.prompter.interactive:
        _missing(context)
    context.prompter.say(
        text(
            "Waiting for the TLS certificate: {context}. It is used as soon as it is complete.",
            context=_places(context),
        )
    )
    while _problem(context, public_address) is not None:
        if path := context.prompter.ask_until(_LIES_ALREADY, lambda: _problem(context, public_address)):
            _take_from(context, path)
    return _source(context) or _missing(context)


def _ask_again(context: Context, error: CertificateError) -> None:
    """Ask for another certificate than the one refused with `error`, which is raised unattended."""
    if not context.prompter.interactive:
        raise error
    context.prompter.say(f"Certificate: {error.message}. {error.hint}".rstrip())
    ask_for_another(context, error)


def _has_it_typed(context: Context, source: IdentitySource, error: SetupError) -> bool:
    """Have a person type the passphrase where `source` refers to a file that is missing or holds another."""
    if source.passphrase is None or not context.prompter.interactive:
        return False
    context.prompter.say(f"Certificate: {error.message}. {error.hint}".rstrip())
    _forget_passphrase(context)
    return True


def ask_for_another(context: Context, error: CertificateError) -> None:
    """Have a person name another certificate, or mend the files that are named.

    Raises `error` when they stop, and when the input has ended: nobody is there.
    """
    try:
        while typed := context.prompter.ask(_ANOTHER, default=""):
            if typed.lower() == _STOP:
                raise error
            if _take_from(context, typed):
                return
    except UsageError as ended:
        raise error from ended
    if error.code.startswith("pfx-passphrase"):
        _forget_passphrase(context)


def _take_from(context: Context, path: str) -> bool:
    """Use the certificate at `path`, a PFX, or PEM whose key a person names as well; whether it can be."""
    content = _content_of(context, path)
    if content is None:
        return False
    values: dict[str, object] = {"certificate.pfx": path}
    if _PEM in content:
        key = context.prompter.ask("Path of its private key (PEM)")
        if _content_of(context, key) is None:
            return False
        values = {"certificate.chain": [path], "certificate.key": key}
    _forget_passphrase(context)
    try:
        context.take(values)
    except UsageError as error:
        context.prompter.say(error.message)
        return False
    return True


def _content_of(context: Context, path: str) -> bytes | None:
    """What the file holds whose path was typed; None, with the reason said, when it cannot be read."""
    try:
        content = context.ports.files.read_given(path) if path.startswith("/") else None
    except UsageError as error:
        context.prompter.say(f"{error.message}. {error.hint}".rstrip())
        return None
    if content is None:
        context.prompter.say(
            text("There is no file {path}. Type its full path, such as /root/site.pfx.", path=path)
        )
    return content


def _forget_passphrase(context: Context) -> None:
    """A passphrase that was given for another file, or was wrong, is asked for again."""
    context.gathered.passphrase = None
    context.take({"certificate.passphrase": None})


def _missing(context: Context) -> NoReturn:
    raise CERTIFICATE_AWAITED(places=_places(context))


def _places(context: Context) -> str:
    given = _given(context)
    if given.paths[0]:
        return text("expected at ") + " and ".join(given.paths)
    return _USUAL_PLACES


def _problem(context: Context, public_address: str | None) -> str | None:
    """Why the files cannot be taken as they are now, perhaps half copied; empty when there are none yet.

    None when they can be taken.
    """
    try:
        source = _source(context)
    except UsageError as error:  # copied there by root, and not yet the account's
        return text("Not usable yet: {message}. {hint}", message=error.message, hint=error.hint)
    if source is None:
        return ""
    try:
        identity = source.load(context.ports)
    except CertificateError as error:
        # The passphrase is asked for once the files are taken.
        return (
            None
            if error.code.startswith("pfx-passphrase")
            else text("Not usable yet: {message}.", message=error.message)
        )
    found = findings(context, identity, public_address)
    errors = [finding.message for finding in found if finding.severity is Severity.ERROR]
    return text("Not usable yet: {errors}.", errors="; ".join(errors)) if errors else None


def copies(context: Context, source: IdentitySource, identity: Identity) -> Iterator[Action[Ports]]:
    """What brings the files given elsewhere to the usual places; a link there was made by the administrator.

    Others may read `site.crt`, and the file given may hold more than certificates: it is written again.
    """
    if source.pfx:
        if _is_wanted(context, (source.pfx,), paths.SITE_PFX):
            digest = str(context.ports.files.digest_given(source.pfx))
            yield CopyFile(source=source.pfx, digest=digest, path=paths.SITE_PFX, mode=0o600)
        return
    if _is_wanted(context, source.certificates, paths.SITE_CERTIFICATE):
        yield WriteFile(path=paths.SITE_CERTIFICATE, text=given_pem(identity).decode())
    if _is_wanted(context, (source.key,), paths.SITE_KEY):
        digest = hashlib.sha256(key_pem(identity)).hexdigest()
        yield PlaceKey(path=paths.SITE_KEY, source=source, digest=digest)


def _is_wanted(context: Context, given: tuple[str, ...], place: str) -> bool:
    files = context.ports.files
    state = files.state(place)
    return given != (str(files.locate(place)),) and (state is None or state.kind != "link")


def placing(certificate: Certificate) -> tuple[Action[Ports], ...]:
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


def _decide(certificate: Certificate) -> Sequence[Action[Ports]]:
    name = certificate.fingerprint
    fresh = (generations.FreshenIdentity(name=name),) if certificate.returning else ()
    return (*certificate.copies, *placing(certificate), *fresh, switching(name), *certificate.of_devices)


STEP = Step("certificate", text("TLS certificate"), _gather, _decide, missing=device_certificates.missing)
