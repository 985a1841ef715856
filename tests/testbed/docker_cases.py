"""Runs on a server with Docker: what only the real daemon can prove of the engine; the results as JSON.

`docker_cases.py REFERENCE`: REFERENCE is an image (`name@sha256:...`) that the registry has.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mstunnel_setup.actions.containers import LoadImage
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.container_spec import ContainerSpec, Progress
from mstunnel_setup.containers.docker import docker_engine
from mstunnel_setup.containers.engine import ContainerEngine
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import UndoRecord


def no_progress(_fetched: int, _known: int) -> None:
    """Nobody watches."""


@dataclass
class Ports(Any):
    """What the action needs."""

    engine: ContainerEngine
    progress: Progress = no_progress


def digest(content: bytes) -> str:
    """As the OCI formats write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tarred(files: dict[str, bytes]) -> bytes:
    """An archive of files."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return made.getvalue()


def oci_archive(path: Path) -> str:
    """An image of one file, its layer compressed; returns the digest of its manifest."""
    layer = tarred({"file": b"content"})
    packed = gzip.compress(layer, mtime=0)
    rootfs = {"type": "layers", "diff_ids": [digest(layer)]}
    # Docker makes no container of an image without a command.
    runs = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/file"]}}
    config = json.dumps({**runs, "rootfs": rootfs}).encode()
    kind = "application/vnd.oci.image"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "config": {"mediaType": f"{kind}.config.v1+json", "digest": digest(config), "size": len(config)},
            "layers": [
                {"mediaType": f"{kind}.layer.v1.tar+gzip", "digest": digest(packed), "size": len(packed)}
            ],
        }
    ).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest(manifest)}]}).encode()
    blobs = {f"blobs/sha256/{digest(content)[7:]}": content for content in (packed, config, manifest)}
    path.write_bytes(tarred({**blobs, "index.json": index}))
    return digest(manifest)


def loaded(engine: ContainerEngine) -> dict[str, Any]:
    """Load an archive, make a container of it by its digest, take both back."""
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "image.tar"
        reference = f"registry.example/small@{oci_archive(archive)}"
        ports: Any = Ports(engine)
        action = LoadImage(archive=str(archive), reference=reference)
        before = action.capture(ports)
        action.apply(ports, {})
        image = engine.image(reference)
        name = "" if image is None else image.name
        engine.create(ContainerSpec(name="small", image=reference, local_name=name, description="Small"))
        state = engine.inspect("small")
        kept = action.undo(ports, UndoRecord(before, (action,), {}))
        engine.remove("small")
        removed = action.undo(ports, UndoRecord(before, (action,), {}))
        return {
            "digest": "" if state is None else f"registry.example/small@{state.image_digest}",
            "reference": reference,
            "while used": kept.outcome.value,
            "afterwards": removed.outcome.value,
        }


def refused(engine: ContainerEngine, reference: str, seconds: float) -> dict[str, str]:
    """How a pull fails."""
    try:
        engine.pull(reference, seconds, no_progress)
    except EngineError as error:
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {}


def main(reference: str) -> None:
    """Print the results."""
    unknown = f"{reference.partition('@')[0]}@sha256:{'0' * 64}"
    with docker_engine(Processes(), Clock(), {}) as engine:
        results = {
            "loaded": loaded(engine),
            "unknown": refused(engine, unknown, 20),
            "no registry": refused(engine, f"127.0.0.1:9/x@sha256:{'0' * 64}", 20),
        }
    print(json.dumps(results))


main(sys.argv[1])
