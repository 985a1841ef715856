"""`mst-cli version`, `mstunnel-setup self …`: this program, its packages, the engine and both images."""

import binascii
import contextlib
import hashlib
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import Field

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, SetupError, UsageError
from mstunnel_setup.base.parsing import json_object
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import Line, text, verbatim
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.exchange.release_catalogue import Digests, ReleaseCatalogue, published
from mstunnel_setup.exchange.release_feed import offered
from mstunnel_setup.install.installed import open_host
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator

# A minisign key or signature has two bytes of algorithm, eight of key id, then the rest.
_ID: Final = slice(2, 10)
_REST: Final = slice(10, None)


class Package(Report):
    """A package bundled with the program."""

    name: str
    version: str
    kind: str = Field(description="`wheel`, or an architecture of Debian.")


class ImageDigests(Report):
    """The digests of the images that the gateway is configured to run."""

    server: str | None
    agent: str | None


class VersionReport(Report):
    """Versions of program, engine and images; null stands for missing or not configured yet."""

    version: str
    engine: str | None
    engine_name: str | None
    release: str | None = Field(
        description="The newest name of the images; null where no list of releases has them."
    )
    images: ImageDigests
    packages: tuple[Package, ...] = Field(
        default=(),
        description="With --verbose: what the program brings; empty where it came as a Python package.",
    )


class Licences(Report):
    """The licences of all bundled packages."""

    licenses: str = Field(description="All texts, each under the name of its package.")


class ProgramCheck(Report):
    """A program whose payload and unpacked files were found to equal those of the build."""

    file: str = Field(description="The one file.")
    sha256: str = Field(
        description="SHA-256 of the payload.", json_schema_extra={"pattern": "^[0-9a-f]{64}$"}
    )
    folder: str = Field(description="Directory into which it is unpacked.")
    signed: bool = Field(
        description="True if `--public-key` was given and the signature of the release verified."
    )


def version(operator: Operator, *, verbose: bool = False) -> Result[VersionReport]:
    """Return the known versions; fewer without an engine, an installation or root.

    `verbose` adds the bundled packages.
    """
    engine, number, release = None, None, None
    images = ImageDigests(server=None, agent=None)
    warnings: tuple[Problem, ...] = ()
    try:
        with open_host(operator) as host:
            if host.files.live:  # only this machine's engine could answer
                with contextlib.suppress(SetupError):
                    engine, number = host.chosen.name, host.engine.version()
            images = _images(host.files)
            if images.server is not None and images.agent is not None:
                with contextlib.suppress(
                    UsageError
                ):  # the list of releases may have been edited and be invalid
                    catalogue = offered(host.files, operator.clock.now())
                    release = next(iter(release_names(catalogue, Digests(images.server, images.agent))), None)
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
    bundled = (bundle.packages() or ()) if verbose else ()
    packages = tuple(Package(name=name, version=number, kind=kind) for name, number, kind in bundled)
    found = VersionReport(
        version=__version__,
        engine=number,
        engine_name=engine,
        release=release,
        images=images,
        **({"packages": packages} if verbose else {}),
    )
    rows = [("mst-cli", __version__)]
    if not warnings:
        rows += [
            (text("Engine"), f"{engine.capitalize()} {number}" if engine else text("none")),
            (
                text("Release"),
                release or (text("not known") if images.server and images.agent else text("none")),
            ),
            ("server", images.server or text("none")),
            ("agent", images.agent or text("none")),
        ]
    rows += [(item.name, text("{number} ({kind})", number=item.version, kind=item.kind)) for item in packages]
    width = max(8, *(len(name) for name, _value in rows))
    lines = [Line(f"{name!s:{width}} {value!s}", name, value) for name, value in rows]
    return Result("warning" if warnings else "ok", found, warnings, text=lines)


def _images(files: Files) -> ImageDigests:
    """Return the digests of the images that the gateway is configured to run."""
    configured = json_object(files.read(paths.IMAGES_CONFIGURED) or b"")
    found = (configured.get(f"{name}ImageDigest") for name in ("server", "agent"))
    server, agent = (digest if isinstance(digest, str) else None for digest in found)
    return ImageDigests(server=server, agent=agent)


def release_names(catalogue: ReleaseCatalogue, digests: Digests) -> Sequence[str]:
    """Return the names of the releases with these images, newest first; several can share images."""
    if known := catalogue.named(digests) or published().named(digests):
        return [release.name for release in known]
    own = release_images()
    return [__version__] if own and Digests(own.gateway, own.agent) == digests else []


def self_licenses() -> Result[Licences]:
    """Return the bundled licence texts. Raises UsageError if the program bundles none."""
    text = bundle.licenses()
    if text is None:
        raise UsageError(
            "licenses-not-bundled",
            "this program was installed as a Python package, without its dependencies",
            hint="Read the licence of each package with `pip show --verbose NAME`.",
        )
    return Result("ok", Licences(licenses=text), text=verbatim(text))


def self_verify(files: Files, key: Path | None = None, sums: Path | None = None) -> Result[ProgramCheck]:
    """Verify the program file and its directory; with a public key also the signature of `sums`.

    `sums` lies beside the program by default. Raises CheckError if a file differs or the signature is wrong,
    UsageError if the file is missing.
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
        lines.append(text("The release is signed with the key in {key}.", key=key))
    report = ProgramCheck(file=file, sha256=found, folder=str(directory), signed=key is not None)
    return Result("ok", report, text=lines)


def signed_digests(files: Files, sums: str, key: str) -> frozenset[str]:
    """Return the SHA-256 sums in the file `sums`, signed with the key whose public half is in `key`.

    The minisign signature is beside `sums`. Raises UsageError `signature-missing` or `signature-unreadable`,
    and CheckError `signature-wrong`.
    """
    beside = f"{sums}.minisig"
    content, signature, public = (_given(files, path) for path in (sums, beside, key))
    owner = _decoded(public, 1, key)
    signed, whole = (_decoded(signature, line, beside) for line in (1, 3))
    comment = signature.splitlines()[2].removeprefix(b"trusted comment: ")
    # Signatures of type ED cover the BLAKE2b hash of the text, others the text itself.
    message = hashlib.blake2b(content).digest() if signed.startswith(b"ED") else content
    valid = owner[_ID] == signed[_ID]
    try:
        verifier = Ed25519PublicKey.from_public_bytes(owner[_REST])
        verifier.verify(signed[_REST], message)
        verifier.verify(whole, signed[_REST] + comment)
    except (InvalidSignature, ValueError):
        valid = False
    if not valid:
        raise CheckError(
            "signature-wrong",
            "{sums} was not signed with the key in {key}, or was changed since",
            hint="Do not use this program. Download the release again, and compare the key with another "
            "source.",
            sums=sums,
            key=key,
        )
    lines = content.decode(errors="replace").splitlines()
    return frozenset(line.split()[0] for line in lines if line.strip())


def _given(files: Files, path: str) -> bytes:
    content = files.read_given(path)
    if content is None:
        raise UsageError(
            "signature-missing",
            "there is no file {path}",
            hint="Download SHA256SUMS and SHA256SUMS.minisig of the release, and give the path of the "
            "first with --sums.",
            path=path,
        )
    return content


def _decoded(content: bytes, line: int, path: str) -> bytes:
    try:
        return b64decode(content.splitlines()[line], validate=True)
    except (IndexError, binascii.Error) as error:
        raise UsageError(
            "signature-unreadable",
            "{path} is not a minisign file",
            hint="Give the public key (`minisign.pub`) with --public-key; the signature is beside the sums.",
            path=path,
        ) from error
