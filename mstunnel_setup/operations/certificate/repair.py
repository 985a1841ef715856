"""`mst-cli cert repair`: put link and generation right again, never back to an older certificate unasked."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mstunnel_setup.actions.certificates import pending_imports
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import fold_all, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.certificate import Identity, title
from mstunnel_setup.certificates.errors import KEY_MODE
from mstunnel_setup.certificates.load import IdentitySource, fingerprint
from mstunnel_setup.install import certificate_source
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.install.steps.certificate import Certificate
from mstunnel_setup.io.files import Files, FileState
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import Kind
from mstunnel_setup.operations.certificate.activation import apply_actions, installed_run, prove, serving_port
from mstunnel_setup.operations.certificate.findings import (
    CHAIN_MODE,
    GENERATION_DAMAGED,
    KEY_OWNER,
    LINK_FLATTENED,
    LINK_MISSING,
)

_BY_OTHERS = 0o077
_INTO_BY_OTHERS = _BY_OTHERS & ~paths.PRIVATE_MODE
_WRITABLE_BY_OTHERS = 0o022
_OURS = ("chain.pem", "root.pem", "key.pem")


@dataclass(frozen=True)
class _Place:
    """A directory or file, the mode it is made with, and the bits that it must not have."""

    path: str
    kind: Kind
    mode: int
    refused: int = _BY_OTHERS


def mode_findings(files: Files) -> Iterator[Problem]:
    """What others may read or change, or own; the target of a link is the administrator's."""
    for place, state in _present(files):
        if state.mode & place.refused:
            finding = CHAIN_MODE if place.refused == _WRITABLE_BY_OTHERS else KEY_MODE
            yield finding(path=place.path, mode=state.mode, wanted=place.mode)
        if _is_foreign(state):
            yield KEY_OWNER(path=place.path, uid=state.uid)


def fix_permissions(files: Files) -> None:
    """Take the rights of others away; the content stays."""
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
    for place in _places(files):
        state = files.state(place.path)
        if state is not None and state.kind == place.kind:
            yield place, state


def _places(files: Files) -> Iterator[_Place]:
    """From above to below: what is in a directory can be put right once the directory is."""
    yield _directory(paths.PRIVATE)
    yield _Place(paths.SITE_KEY, "file", 0o600)
    yield _Place(paths.SITE_PFX, "file", 0o600)
    yield _directory(paths.GENERATIONS)
    for name in files.names(paths.GENERATIONS):
        directory = generations.directory(name)
        yield _directory(directory)
        yield _Place(f"{directory}/key.pem", "file", 0o600)
        yield _Place(f"{directory}/chain.pem", "file", 0o644, _WRITABLE_BY_OTHERS)
        yield _Place(f"{directory}/root.pem", "file", 0o644, _WRITABLE_BY_OTHERS)


def _directory(path: str) -> _Place:
    return _Place(path, "directory", paths.PRIVATE_MODE, _INTO_BY_OTHERS)


def _is_foreign(state: FileState) -> bool:
    return state.uid not in (0, os.geteuid())


@dataclass(frozen=True)
class _Candidate:
    """An identity that could be served: where it lies, and where people see that it lies."""

    place: str
    source: IdentitySource
    identity: Identity = field(repr=False)

    @property
    def name(self) -> str:
        return fingerprint(self.identity)


def repair(operator: Operator, *, agreed: bool) -> Result:
    """Link the certificate that was in use, restored from whatever copy of it is still sound.

    Where none is, another one is taken only when the administrator agrees. Raises CertificateError.
    """
    with installed_run(operator, {}) as run:
        problems = tuple(placement_findings(run.context.host.files))
        if not problems:
            return Result("unchanged", text=[text("The link and the certificate in use are intact.")])
        fix_permissions(run.files)
        wanted = _wanted(run)
        chosen = _choose(run.context, wanted, agreed=agreed)
        placed = certificate.placing(Certificate(chosen.source, chosen.identity))
        apply_actions(run, "Place the certificate", placed)
        _clear_way(run.context)
        apply_actions(run, "Switch to the certificate", [certificate.switching(chosen.name)])
        serving = prove(run.context, serving_port(run.context))
    lines = [text("Repaired: {message}.", message=finding.message) for finding in problems]
    lines.append(f"In use is the certificate of {title(chosen.identity.leaf)} from {chosen.place}.")
    data: JsonObject = {"serving": serving, "generation": chosen.name, "from": chosen.place}
    return Result("changed", data, text=fold_all(lines))


def placement_findings(files: Files) -> Iterator[Problem]:
    """What is wrong with the link, the generation it names, and who may read the keys."""
    state = files.state(paths.ACTIVE)
    name = generations.linked(files)
    if state is None:
        yield LINK_MISSING(path=paths.ACTIVE)
    elif name is None:
        yield LINK_FLATTENED(path=paths.ACTIVE)
    else:
        yield from _generation_findings(files, name)
    yield from mode_findings(files)


def _generation_findings(files: Files, name: str) -> Iterator[Problem]:
    directory = generations.directory(name)
    try:
        if fingerprint(generations.read(files, directory)) != name:
            yield GENERATION_DAMAGED(directory=directory, reason=text("its name is not that of its content"))
    except CertificateError as error:
        yield GENERATION_DAMAGED(directory=directory, reason=error.message)


def _wanted(run: Run) -> str | None:
    """The generation in use: what is linked, else what was linked last according to the journal."""
    linked = generations.linked(run.context.host.files)
    entry = run.context.receipt.entries.get(f"link:{paths.ACTIVE}")
    return linked or (PurePosixPath(str(entry.versions[-1]["target"])).name if entry else None)


def _choose(context: Context, wanted: str | None, *, agreed: bool) -> _Candidate:
    candidates = sorted(
        _candidates(context), key=lambda item: generations.newest(item.identity.leaf), reverse=True
    )
    # The same leaf with another chain around it is no other certificate.
    leaf = (wanted or "").partition("-")[0]
    same = [candidate for candidate in candidates if candidate.name.partition("-")[0] == leaf]
    if same:
        return next((candidate for candidate in same if candidate.name == wanted), same[0])
    if not candidates:
        raise CertificateError(
            "repair-impossible",
            "no intact copy of a certificate is left",
            hint=(
                "Import one: `mst-cli import_cert --cert PATH --key PATH`, or `--pfx PATH` with its "
                "passphrase."
            ),
        )
    best = candidates[0]
    certificate.examine(context, best.identity, certificate.address(context))
    _require_agreement(context, best, agreed=agreed)
    return best


def _require_agreement(context: Context, best: _Candidate, *, agreed: bool) -> None:
    ends = f"{best.identity.leaf.not_valid_after_utc:%Y-%m-%d}"
    question = text(
        "the certificate that was in use is lost; the newest other one ends on {ends} ({place})",
        ends=ends,
        place=best.place,
    )
    if agreed or (
        context.prompter.interactive
        and context.prompter.confirm(text("{question}. Use it?", question=question))
    ):
        return
    raise CertificateError(
        "repair-unsure",
        ("the certificate that was in use is lost; the newest other one ends on {ends} ({place})"),
        hint="Use that one with --yes, or import the right one with `mst-cli import_cert`.",
        ends=ends,
        place=best.place,
    )


def _candidates(context: Context) -> Iterator[_Candidate]:
    """What can be read of: a flattened link, the generations, and the usual places; not what is for later."""
    waiting = {pending.fingerprint for pending in pending_imports(context.receipt)}
    names = context.host.files.names(paths.GENERATIONS)
    directories = (paths.ACTIVE, *(generations.directory(name) for name in names))
    places = [(place, generations.source(context.host.files, place)) for place in directories]
    usual = zip((paths.SITE_CERTIFICATE, paths.SITE_PFX), certificate_source.usual(context), strict=True)
    for place, source in (*places, *usual):
        try:
            identity = source.load(context.host)
        except SetupError:  # also a passphrase that the answers name and that is not to be had
            continue
        if fingerprint(identity) not in waiting:
            yield _Candidate(place, source, identity)


def _clear_way(context: Context) -> None:
    """Remove what stands in the place of the link: a file, or a directory with nothing but chain and key."""
    files = context.host.files
    state = files.state(paths.ACTIVE)
    if state is None or generations.linked(context.host.files) is not None:
        return
    if state.kind != "directory":
        files.remove(paths.ACTIVE)
        return
    strange = [name for name in files.names(paths.ACTIVE) if name not in _OURS]
    if strange:
        raise CertificateError(
            "link-blocked",
            "{path} is a directory that contains other files: {files}",
            hint="Move these files elsewhere, then run the command again.",
            path=paths.ACTIVE,
            files=", ".join(strange[:5]),
        )
    for name in files.names(paths.ACTIVE):
        files.remove(f"{paths.ACTIVE}/{name}")
    files.remove_directory(paths.ACTIVE)
