"""`mst-cli version`, `mstunnel-setup self …`: this program and what it brings, the engine, both images."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from mstunnel_setup import __version__
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, SetupError, UsageError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, text, verbatim
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.exchange.release_feed import offered
from mstunnel_setup.exchange.releases import Digests
from mstunnel_setup.install.installed import open_host
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.signature import signed_digests
from mstunnel_setup.operations.upgrade.releases import release_names


def version(operator: Operator, *, verbose: bool = False) -> Result:
    """What is known; less without an engine, an installation or root. `verbose` adds the packages inside."""
    engine, number, release = None, None, None
    images: dict[str, str | None] = {"server": None, "agent": None}
    warnings: tuple[Problem, ...] = ()
    try:
        with open_host(operator) as ports:
            engine, number = _engine(ports)
            images = _images(ports)
            release = _release(ports.files, images, operator.clock.now())
    except CheckError as error:
        if error.code != NOT_ROOT.code:
            raise
        warnings = (
            warning(
                "version-of-program-only",
                "engine, release and images are shown to root only",
                hint="Run `sudo mst-cli version`.",
            ),
        )
    data: JsonObject = {
        "version": __version__,
        "engine": number,
        "engine_name": engine,
        "release": release,
        "images": {**images},
    }
    rows = [("mst-cli", __version__)]
    rows += (
        ()
        if warnings
        else (
            (text("Engine"), f"{engine.capitalize()} {number}" if engine else "none"),
            (text("Release"), release or (text("not known") if all(images.values()) else "none")),
            *((name, digest or "none") for name, digest in images.items()),
        )
    )
    inside = (bundle.packages() or ()) if verbose else ()
    if verbose:
        data["packages"] = [{"name": name, "version": number, "kind": kind} for name, number, kind in inside]
        rows += [(name, text("{number} ({kind})", number=number, kind=kind)) for name, number, kind in inside]
    width = max(8, *(len(name) for name, _value in rows))
    lines = [Line(f"{name:{width}} {value}", name, value) for name, value in rows]
    return Result("warning" if warnings else "ok", data, warnings, text=lines)


def _engine(ports: Host) -> tuple[str, str] | tuple[None, None]:
    """Name and version of the host's container engine, if one answers."""
    if not ports.files.live:  # only the engine of this machine could answer
        return None, None
    try:
        return ports.chosen.name, ports.engine.version()
    except SetupError:
        return None, None


def _images(ports: Host) -> dict[str, str | None]:
    """The digests that are configured to run."""
    try:
        found = json_value(ports.files.read(paths.IMAGES_CONFIGURED) or b"{}")
    except ValueError:
        found = None  # it was edited by hand
    configured = found if isinstance(found, dict) else {}
    digests = {name: configured.get(f"{name}ImageDigest") for name in ("server", "agent")}
    return {name: digest if isinstance(digest, str) else None for name, digest in digests.items()}


def _release(files: Files, images: Mapping[str, str | None], now: datetime) -> str | None:
    """The newest name of these images, if they have any."""
    server, agent = images["server"], images["agent"]
    if server is None or agent is None:
        return None
    with contextlib.suppress(UsageError):  # the list of releases was edited by hand
        return next(iter(release_names(offered(files, now), Digests(server, agent))), None)
    return None


def self_licenses() -> Result:
    """The texts as they were bundled. Raises UsageError where the program brings nothing."""
    text = bundle.licenses()
    if text is None:
        raise UsageError(
            "licenses-not-bundled",
            "this program was installed as a Python package, without its dependencies",
            hint="Read the licence of each package with `pip show --verbose NAME`.",
        )
    return Result("ok", {"licenses": text}, text=verbatim(text))


def self_verify(files: Files, key: Path | None = None, sums: Path | None = None) -> Result:
    """The file and its directory; with a public key also the signature over `sums` (default: beside it).

    Raises CheckError when they differ or the signature is wrong, UsageError without the file.
    """
    file = bundle.one_file()
    if file is None:
        raise UsageError(
            "not-one-file",
            "this program was installed as a package, not as the single-file program",
            hint="Verify it with the package manager that installed it.",
        )
    stated, found = bundle.digests(Path(file))
    if stated != found:
        raise CheckError(
            "program-damaged",
            "the payload of {file} has SHA-256 {actual}, expected {expected}",
            hint="Copy the file again and compare it with SHA256SUMS of its release.",
            file=file,
            actual=found,
            expected=stated,
        )
    directory = bundle.directory()
    if wrong := bundle.differences(directory):
        raise CheckError(
            "program-folder-damaged",
            "files in {directory} differ from the release: {files}",
            hint="Remove {directory}; the next start unpacks it again.",
            directory=directory,
            files=", ".join(wrong),
        )
    lines = [
        text(
            "{file} and {directory} are as built (SHA-256 {found}).",
            file=file,
            directory=directory,
            found=found,
        )
    ]
    if key is not None:
        sums = sums or Path(file).with_name("SHA256SUMS")
        digest = files.digest_given(file)
        if digest not in signed_digests(files, str(sums), str(key)):
            raise CheckError(
                "program-not-listed",
                "{file} (SHA-256 {digest}) is not one of the files in {sums}",
                hint="Use the SHA256SUMS of the program's own release.",
                file=file,
                digest=digest,
                sums=sums,
            )
        lines.append(f"The release is signed with the key in {key}.")
    data = {"file": file, "sha256": found, "folder": str(directory), "signed": key is not None}
    return Result("ok", data, text=lines)
