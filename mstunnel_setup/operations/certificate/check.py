"""`mst-cli cert show|check|repair`: the gateway's certificate, findings about it, and its repair."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import Field

from mstunnel_setup.actions.certificates import pending_imports
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, ExitCode, NetworkError, SetupError, declare
from mstunnel_setup.base.problem import Problem, Severity, error
from mstunnel_setup.base.result import Day, Report, Result
from mstunnel_setup.base.text import Line, fold_all, text, with_hint
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.ca_trust import exposed_keys
from mstunnel_setup.certificates.certificate import extension, issuer_title, serial_number, title
from mstunnel_setup.certificates.chain_findings import CertificateFinding, days_left
from mstunnel_setup.certificates.errors import KEY_MODE, PAGE
from mstunnel_setup.certificates.leaf_findings import shown_names
from mstunnel_setup.certificates.load import fingerprint
from mstunnel_setup.certificates.revocation import revocation_findings
from mstunnel_setup.install import certificate_source, device_certificates
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.serving import leaf_in_service
from mstunnel_setup.install.session import apply_actions, installed_run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.io.files import Files, FileState
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import Kind
from mstunnel_setup.operations.certificate import generation_switch

_finding = partial(declare, error, page=PAGE)
_REPAIR = "Repair it with `mst-cli cert repair`."
LINK_MISSING = _finding("link-missing", "the link {path} is missing", _REPAIR)
LINK_FLATTENED = _finding("link-flattened", "{path} is not a link to a generation", _REPAIR)
GENERATION_DAMAGED = _finding(
    "generation-damaged", "the generation {directory} is damaged: {reason}", _REPAIR
)
KEY_OWNER = _finding("key-owner", "{path} belongs to uid {uid}", _REPAIR)
CHAIN_MODE = _finding("chain-mode", "{path} has mode {mode:04o}, not {wanted:04o}", _REPAIR)
NONE_IN_USE = _finding(
    "certificate-not-in-use", "no certificate is in use", "Import one with `mst-cli import_cert`."
)
NOT_SERVED = _finding("not-served", "{reason}", "{remedy}")
DEVICES_NOT_CHECKED = _finding(
    "devices-not-checked", "certificates of devices are not checked: {problem}", "{remedy}"
)

_BY_OTHERS = 0o077
_INTO_BY_OTHERS = _BY_OTHERS & ~paths.PRIVATE_MODE
_WRITABLE_BY_OTHERS = 0o022
_OURS = ("chain.pem", "root.pem", "key.pem")


class CertificateReport(Report):
    """Names, validity and chain of the certificate in use."""

    subject: str
    names: str
    issuer: str
    serial: str = Field(description="Hexadecimal.")
    not_before: Day
    not_after: Day
    days_left: int
    sha256: str
    chain: tuple[str, ...] = Field(description="Leaf first.")
    generation: str | None
    previous: str | None = Field(description="The generation in use before.")


class CertificateFindings(Report):
    """All findings about the certificate in use.

    The exit code is 4 with an error among the findings.
    """

    findings: tuple[CertificateFinding, ...]


class CertificateRepair(Report):
    """The certificate in use after a repair of the link and its files."""

    serving: bool
    generation: str
    source: str = Field(serialization_alias="from", description="Location of the copy that was used.")


def show(operator: Operator) -> Result[CertificateReport]:
    """Show the certificate in use in a few lines. Raises CertificateError if it cannot be read."""
    with installed_run(operator, exclusively=False) as run:
        identity = generations.read(run.files, paths.ACTIVE)
        leaf, generation = identity.leaf, generations.linked(run.files)
        names = extension(leaf, x509.SubjectAlternativeName)
        found = CertificateReport(
            subject=title(leaf),
            names=shown_names(names) if names else "",
            issuer=issuer_title(leaf),
            serial=f"{serial_number(leaf):x}",
            not_before=f"{leaf.not_valid_before_utc:%Y-%m-%d}",
            not_after=f"{leaf.not_valid_after_utc:%Y-%m-%d}",
            days_left=days_left(leaf, run.host.clock.now()),
            sha256=leaf.fingerprint(hashes.SHA256()).hex(),
            chain=tuple(title(certificate) for certificate in identity.chain),
            generation=generation,
            previous=generation_switch.previous(run, str(generation)),
        )
    valid = text(
        "{not_before} to {not_after}, {days_left} days left",
        not_before=found.not_before,
        not_after=found.not_after,
        days_left=found.days_left,
    )
    rows = [
        (text("Subject"), found.subject),
        (text("Names"), found.names),
        (text("Issuer"), found.issuer),
        (text("Serial"), found.serial),
        (text("Valid"), valid),
        ("SHA-256", found.sha256),
        *((text("Chain") if number == 0 else "", name) for number, name in enumerate(found.chain)),
        (text("Earlier"), found.previous or text("none")),
    ]
    return Result("ok", found, text=[Line(f"{name!s:8} {value!s}", name, value) for name, value in rows])


def check(operator: Operator) -> Result[CertificateFindings]:
    """Judge the certificate in use again, ask the CAs, and compare it with the one served.

    The exit code is 4 with an error among the findings.
    """
    with installed_run(operator, despite_damage=True) as run:
        found = [*examine(run)]
    severities = {finding.severity for finding in found}
    lines = fold_all(
        text(
            "{severity:8} {problem}",
            severity=text(item.severity.value),
            problem=with_hint(item.message, item.hint),
        )
        for item in found
    )
    return Result(
        "warning" if severities & {Severity.ERROR, Severity.WARNING} else "ok",
        CertificateFindings(findings=tuple(map(CertificateFinding.of, found))),
        text=lines or [text("No problem found with the certificate.")],
        exit_code=ExitCode.CERTIFICATE if Severity.ERROR in severities else ExitCode.DONE,
    )


def examine(run: Run, *, ask_authority: bool = True) -> Iterator[Problem]:
    """Yield the findings about placement, certificate and the served certificate.

    With `ask_authority` the CA's answer is stored, which requires the run to hold the lock.
    """
    files = run.files
    placement = tuple(placement_findings(files))
    yield from placement
    yield from exposed_keys(files)
    try:
        device_certificates.judge_placed(files, run.host.clock.now())
    except CertificateError as problem:
        yield DEVICES_NOT_CHECKED(problem=problem.message, remedy=problem.hint)
    identity = generations.in_use(files)
    if identity is None:
        if not placement:
            yield NONE_IN_USE()
        return
    yield from certificate.findings(run, identity, certificate.address(run))
    if ask_authority:
        asked = certificate.ask_authorities(run, identity)
        certificate.keep_revocation(run, identity, asked)
        yield from revocation_findings(asked)
    try:
        port = generation_switch.serving_port(run)
        if port is not None and leaf_in_service(files, port) != identity.leaf.public_bytes(Encoding.DER):
            yield NOT_SERVED(
                reason=text("port {port} serves another certificate", port=port),
                remedy=text("Run `mst-cli server restart`."),
            )
    except NetworkError as problem:
        yield NOT_SERVED(reason=problem.message, remedy=problem.hint)


@dataclass(frozen=True)
class _Place:
    """A directory or file, the mode it is created with, and the mode bits it must not have."""

    path: str
    kind: Kind = "directory"
    mode: int = paths.PRIVATE_MODE
    refused: int = _INTO_BY_OTHERS


def mode_findings(files: Files) -> Iterator[Problem]:
    """Yield findings about file modes and owners; the target of a link belongs to the administrator."""
    for place, state in _present(files):
        if state.mode & place.refused:
            finding = CHAIN_MODE if place.refused == _WRITABLE_BY_OTHERS else KEY_MODE
            yield finding(path=place.path, mode=state.mode, wanted=place.mode)
        if _is_foreign(state):
            yield KEY_OWNER(path=place.path, uid=state.uid)


def fix_permissions(files: Files) -> None:
    """Remove other accounts' access to the files; keep their content."""
    if any(_is_foreign(state) for _, state in _present(files)):
        files.give(paths.PRIVATE, os.geteuid(), os.getegid())
    for place, state in _present(files):
        if not state.mode & place.refused:
            continue
        if place.kind == "directory":
            files.make_directory(place.path, place.mode)
        else:
            files.write(place.path, files.read(place.path) or b"", place.mode)


def _present(files: Files) -> Iterator[tuple[_Place, FileState]]:
    """Yield existing places from the top down, so that a directory is fixed before its files."""
    keys = [_Place(path, "file", 0o600, _BY_OTHERS) for path in (paths.SITE_KEY, paths.SITE_PFX)]
    places = [_Place(paths.PRIVATE), *keys, _Place(paths.GENERATIONS)]
    for directory in map(generations.directory, files.names(paths.GENERATIONS)):
        places += [_Place(directory), _Place(f"{directory}/key.pem", "file", 0o600, _BY_OTHERS)]
        for name in ("chain.pem", "root.pem"):
            places.append(_Place(f"{directory}/{name}", "file", 0o644, _WRITABLE_BY_OTHERS))
    for place in places:
        state = files.state(place.path)
        if state is not None and state.kind == place.kind:
            yield place, state


def _is_foreign(state: FileState) -> bool:
    return state.uid not in (0, os.geteuid())


def repair(operator: Operator, *, agreed: bool) -> Result[CertificateRepair | None]:
    """Link the certificate that was in use, restored from any intact copy.

    Without an intact copy, uses another certificate only if the administrator agrees. Raises
    CertificateError.
    """
    with installed_run(operator) as run:
        problems = tuple(placement_findings(run.files))
        if not problems:
            return Result("unchanged", text=[text("The link and the certificate in use are intact.")])
        fix_permissions(run.files)
        # The generation in use is the linked one, else the one that was last linked according to the journal.
        entry = run.receipt.entries.get(f"link:{paths.ACTIVE}")
        recorded = PurePosixPath(str(entry.versions[-1]["target"])).name if entry else ""
        place, chosen = _choose(run, generations.linked(run.files) or recorded, agreed=agreed)
        name = chosen.fingerprint
        apply_actions(run, "Place the certificate", certificate.placing(chosen))
        _clear_way(run.files)
        apply_actions(run, "Switch to the certificate", [certificate.switching(name)])
        serving = generation_switch.prove(run, generation_switch.serving_port(run))
    lines = [text("Repaired: {message}.", message=finding.message) for finding in problems]
    lines.append(
        text(
            "In use is the certificate of {title} from {place}.",
            title=title(chosen.identity.leaf),
            place=place,
        )
    )
    report = CertificateRepair(serving=serving, generation=name, source=place)
    return Result("changed", report, text=fold_all(lines))


def placement_findings(files: Files) -> Iterator[Problem]:
    """Yield problems with the link, the generation it names, and access to the keys."""
    name = generations.linked(files)
    if files.state(paths.ACTIVE) is None:
        yield LINK_MISSING(path=paths.ACTIVE)
    elif name is None:
        yield LINK_FLATTENED(path=paths.ACTIVE)
    else:
        directory = generations.directory(name)
        try:
            named = fingerprint(generations.read(files, directory)) == name
            reason = "" if named else text("its name does not match its content")
        except CertificateError as problem:
            reason = problem.message
        if reason:
            yield GENERATION_DAMAGED(directory=directory, reason=reason)
    yield from mode_findings(files)


def _choose(run: Run, wanted: str, *, agreed: bool) -> tuple[str, Certificate]:
    """Return the best copy of generation `wanted`, else the newest other certificate if a person agrees.

    The first value is the copy's location, for people.
    """
    candidates = [*_candidates(run)]
    candidates.sort(key=lambda item: generations.newest(item[1].identity.leaf), reverse=True)
    # A generation with the same leaf and another chain holds the same certificate.
    leaf = wanted.partition("-")[0]
    same = [item for item in candidates if item[1].fingerprint.partition("-")[0] == leaf]
    if same:
        return next((item for item in same if item[1].fingerprint == wanted), same[0])
    if not candidates:
        raise CertificateError(
            "repair-impossible",
            "no intact copy of a certificate is left",
            hint="Import one: `mst-cli import_cert --cert PATH --key PATH`, or `--pfx PATH` with its "
            "passphrase.",
        )
    place, best = candidates[0]
    certificate.examine(run, best.identity, certificate.address(run))
    ends = f"{best.identity.leaf.not_valid_after_utc:%Y-%m-%d}"
    question = text(
        "the certificate that was in use is lost; the newest other one ends on {ends} ({place})",
        ends=ends,
        place=place,
    )
    asked = not agreed and run.console.interactive
    if agreed or (asked and run.console.confirm(text("{question}. Use it?", question=question))):
        return place, best
    raise CertificateError(
        "repair-unsure",
        "the certificate that was in use is lost; the newest other one ends on {ends} ({place})",
        hint="Use that one with --yes, or import the right one with `mst-cli import_cert`.",
        ends=ends,
        place=place,
    )


def _candidates(run: Run) -> Iterator[tuple[str, Certificate]]:
    """Yield the readable copies: a link replaced by files, the generations, and the usual places.

    Leaves out generations that wait for a delayed import.
    """
    files = run.files
    waiting = {pending.fingerprint for pending in pending_imports(run.receipt)}
    directories = (paths.ACTIVE, *(generations.directory(name) for name in files.names(paths.GENERATIONS)))
    places = [(place, generations.source(files, place)) for place in directories]
    usual = zip((paths.SITE_CERTIFICATE, paths.SITE_PFX), certificate_source.usual(run), strict=True)
    for place, source in (*places, *usual):
        try:
            identity = run.host.load(source)
        except SetupError:  # a missing passphrase that the answers name ends here, too
            continue
        if fingerprint(identity) not in waiting:
            yield place, Certificate(source, identity)


def _clear_way(files: Files) -> None:
    """Remove a file that replaces the link, or a directory that holds only chain and key."""
    state = files.state(paths.ACTIVE)
    if state is None or generations.linked(files) is not None:
        return
    if state.kind != "directory":
        files.remove(paths.ACTIVE)
        return
    names = files.names(paths.ACTIVE)
    if strange := [name for name in names if name not in _OURS]:
        raise CertificateError(
            "link-blocked",
            "{path} is a directory that contains other files: {files}",
            hint="Move these files elsewhere, then run the command again.",
            path=paths.ACTIVE,
            files=", ".join(strange[:5]),
        )
    for name in names:
        files.remove(f"{paths.ACTIVE}/{name}")
    files.remove_directory(paths.ACTIVE)
