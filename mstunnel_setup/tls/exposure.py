"""Private keys that others may read: in a file for certificates, which everybody may look at."""

from collections.abc import Iterator

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import HasFiles
from mstunnel_setup.errors import CertificateError
from mstunnel_setup.tls.model import Finding, Severity
from mstunnel_setup.tls.read import read_material

_FOR_OTHERS = 0o044


def exposed_keys(world: HasFiles) -> Iterator[Finding]:
    """A finding for each file with a key that others may read; where a link leads is not judged."""
    roots = (f"{paths.CA_TRUST}/{name}" for name in world.files.names(paths.CA_TRUST))
    for path in (paths.SITE_CERTIFICATE, *roots):
        state = world.files.state(path)
        if state is not None and state.kind == "file" and state.mode & _FOR_OTHERS and _has_key(world, path):
            yield Finding(
                "key-exposed",
                Severity.ERROR,
                f"{path} holds a private key and has mode {state.mode:04o}, so others may read it",
                "Leave only certificates in that file, and replace the key: it may be known to others.",
            )


def _has_key(world: HasFiles, path: str) -> bool:
    try:
        return bool(read_material(world.files.read(path) or b"").keys)
    except CertificateError:
        return False
