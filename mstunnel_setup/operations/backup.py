"""`mst-cli backup`: what another host needs to replace this one, in one archive."""

from collections.abc import Mapping
from pathlib import Path

from mstunnel_setup import __version__
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.answers.settings import BY_PATH
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, json_bytes
from mstunnel_setup.certificates import generations
from mstunnel_setup.exchange.release_feed import portable_settings
from mstunnel_setup.exchange.upgrade_history import History, Phase, read_history, render_history
from mstunnel_setup.gateway.ocserv_conf import DEVICE_REVOCATIONS
from mstunnel_setup.install import tenant_access
from mstunnel_setup.install.session import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import refuse_present
from mstunnel_setup.operations.backup_archive import FILES, LARGEST, MANIFEST, SCHEMA, UPGRADES, pack
from mstunnel_setup.operations.certificate.activation import installed_run


def backup(operator: Operator, file: Path) -> Result:
    """Write the archive with mode 0600.

    A revocation list that would make it too large for `restore` is left out, with a warning: a current one is
    to be had from its CA. Raises UsageError when the file is there already, StepError when it is too large.
    """
    refuse_present(file)
    with installed_run(operator, {}, exclusively=False) as run:
        roots = [f"{paths.CA_TRUST}/{name}" for name in run.files.names(paths.CA_TRUST)]
        in_use = _generation(run)
        places = {**FILES, **{path: (path,) for path in roots}}
        contents = {
            path: b"".join(run.files.read(part.replace(paths.ACTIVE, in_use)) or b"" for part in parts)
            for path, parts in places.items()
        }
        if not paths.ROOTLESS:
            contents |= portable_settings(run.files)
        contents[UPGRADES] = _upgrades(run.files)
        present = {path: content for path, content in contents.items() if content}
        manifest = _manifest(run)
        packed = pack({MANIFEST: json_bytes(manifest), **present})
        warnings = [
            warning(
                "backup-holds-key",
                "{path} contains the private key of the certificate",
                hint="Protect it like the key; restore it on another host with `mst-cli restore`.",
                path=file,
            )
        ]
        if _too_large(packed, present) and DEVICE_REVOCATIONS in present:
            size = len(present.pop(DEVICE_REVOCATIONS))
            source = run.context.answers.devices.crl_file or DEVICE_REVOCATIONS
            packed = pack({MANIFEST: json_bytes(manifest), **present})
            warnings.append(
                warning(
                    "backup-without-list",
                    (
                        "{file} does not contain the revocation list {path}, which has {size} bytes: it would"
                        " be too large"
                    ),
                    hint="Before you restore, put the current list on the other host at {source}.",
                    file=file,
                    path=DEVICE_REVOCATIONS,
                    size=size,
                    source=source,
                )
            )
        if largest := _too_large(packed, present):
            raise StepError(
                "backup-too-large",
                ("{path} has {size} bytes, and a backup that can be restored has at most {largest} in all"),
                hint="Make that file smaller, then run the command again; nothing was written.",
                path=largest,
                size=len(present[largest]),
                largest=LARGEST,
            )
        operator.files.given.write(str(file), packed, 0o600)
    data: JsonObject = {"file": str(file), "contents": [*present]}
    return Result("changed", data, tuple(warnings), text=[text("Written: {file}.", file=file)])


def _too_large(packed: bytes, contents: Mapping[str, bytes]) -> str:
    """The largest file of an archive that `restore` would refuse; empty for any other archive."""
    sizes = {path: len(content) for path, content in contents.items()}
    largest = max(sizes, key=sizes.__getitem__, default="")
    return largest if largest and max(len(packed), sizes[largest]) > LARGEST else ""


def _generation(run: Run) -> str:
    """Where the certificate in use lies: an import may link another one between two of its files."""
    name = generations.linked(run.context.ports.files)
    return paths.ACTIVE if name is None else generations.directory(name)


def _upgrades(files: Files) -> bytes:
    """The upgrades that have ended, which tell what went wrong here; one under way is of this host."""
    ended = [upgrade for upgrade in read_history(files).upgrades if upgrade.phase is Phase.ENDED]
    return render_history(History(upgrades=tuple(ended))) if ended else b""


def _answers(run: Run) -> JsonObject:
    """The answers of the installation, with the release that was proved last.

    The archive of the first one is left out: it is a file of this host, and holds no other release.
    """
    answers = {name: remembered(run.context.receipt, name) for name in ("images.server", "images.agent")}
    if unfinished := read_history(run.files).unfinished:
        answers = {f"images.{name}": reference for name, reference in unfinished.source.model_dump().items()}
    told = remembered(run.context.receipt, "answers")
    found = {**(told if isinstance(told, dict) else {}), **answers}
    # A setting that this version no longer knows, it would not restore either.
    known = {path: value for path, value in found.items() if path in BY_PATH and value is not None}
    return {path: value for path, value in known.items() if path != "images.archive"}


def _manifest(run: Run) -> JsonObject:
    receipt = run.context.receipt
    identity = tenant_access.identity(receipt) or {}
    record = tenant_access.result(receipt, RegisterServer.kind) or {}
    return {
        "schema": SCHEMA,
        "version": __version__,
        "created": run.context.ports.clock.now().isoformat(timespec="seconds"),
        "answers": _answers(run),
        "site": remembered(receipt, "joined-site"),
        "server_name": run.context.server_name,
        "server_id": record.get("server_id"),
        "application_object_id": identity.get("application_object_id"),
    }
