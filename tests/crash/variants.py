"""The hosts of the kill loop: what exists before, what the answers request, and how runs see the host."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash import kernel
from tests.crash.arena import IMAGES, Arena
from tests.crash.kill import Scene
from tests.crash.vendor import VendorArena
from tests.testbed.certificates import Authority

_AUTHORITY = Authority()
_LIST = _AUTHORITY.revocation_list()
_PROXY = {"http_proxy": "http://proxy.crash.test:3128", "no_proxy": "127.0.0.1,localhost"}


@dataclass(frozen=True)
class Variant:
    """A kind of host. One point of `every` is run; the fresh host has most of them, the others add some."""

    prepare: Callable[[Arena], None]
    request: Mapping[str, Any] = field(default_factory=dict)
    every: int = 1
    kind: type[Arena] = Arena

    def scene(self, place: Path) -> Scene:
        """An arena of this kind, rehearsed."""
        arena = self.kind(place, **self.request)
        try:
            return Scene(arena, lambda: self.prepare(arena)).rehearse()
        except BaseException:
            arena.close()
            raise


def _fresh(arena: Arena) -> None:
    """Nothing of ours or anybody's."""
    arena.write_answers({})


def _occupied(arena: Arena) -> None:
    """Foreign files where ours will be: undo must restore them."""
    arena.write_answers({})
    directory = arena.root / "etc/mstunnel"
    (directory / "private").mkdir(parents=True)
    (directory / "env.sh").write_text("THEIRS=1\n")
    (directory / "env.sh").chmod(0o600)
    (directory / "oidc.json").write_text("{}\n")
    (directory / "private/agent.p12").write_bytes(b"theirs")
    (directory / "private/notes").write_text("keep me\n")


def _systemd(arena: Arena) -> None:
    """A host whose kernel can be looked at."""
    arena.write_answers({})
    kernel.lay_down(arena.root)


def _everything(arena: Arena) -> None:
    """Every step has work to do: kernel, proxy, bridge, archive, identity, one file, a late tunnel device."""
    arena.daemon.tunnel = False
    kernel.lay_down(arena.root)
    (arena.root / "usr/sbin").mkdir(parents=True)
    arena.write_answers(
        {
            "environment": _PROXY,
            "bridge": "10.250.0.0/24",
            "engine": "docker",
            "images": {**arena.images, "archive": [str(_archive(arena.directory / "images.tar"))]},
            "identity": arena.prepared_identity(),
            **_devices(arena.directory),
        }
    )


def _devices(directory: Path) -> dict[str, Any]:
    """The answers for devices with a certificate, and the files that they name."""
    (directory / "device-ca.pem").write_bytes(_AUTHORITY.pem)
    (directory / "device-ca.crl").write_bytes(_LIST)
    return {
        "authentication_also": "certificate",
        "devices": {"ca_file": f"{directory}/device-ca.pem", "crl_file": f"{directory}/device-ca.crl"},
    }


def _engine(arena: Arena) -> None:
    """A host whose first process is not systemd: the engine restarts the containers."""
    arena.write_answers({})
    kernel.lay_down(arena.root)


def _secret(arena: Arena) -> None:
    """The server signs in with a secret, and a foreign file is where it will be."""
    arena.write_answers({"identity": {"credential": "secret"}})
    place = arena.root / "etc/mstunnel/private/agent-secret"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"theirs")


def _secret_in_advance(arena: Arena) -> None:
    """The same with an application that was created in advance."""
    arena.write_answers({"identity": arena.secret_identity()})


def _vendor(arena: Arena) -> None:
    """Microsoft's own gateway runs: the switch stops it, and the way back starts it."""
    assert isinstance(arena, VendorArena)
    kernel.lay_down(arena.root)
    arena.lay_down()


def _archive(path: Path) -> Path:
    """Both images in one archive, under other names than their references."""
    manifests = [
        {
            "digest": reference.partition("@")[2],
            "annotations": {"org.opencontainers.image.ref.name": f"localhost/{name}:1"},
        }
        for name, reference in IMAGES.items()
    ]
    content = json.dumps({"manifests": manifests}).encode()
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("index.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


VARIANTS = {
    "fresh": Variant(_fresh),
    "occupied": Variant(_occupied, every=5),
    "systemd": Variant(_systemd, {"manner": "quadlet", "live": True}, every=5),
    "everything": Variant(
        _everything,
        {"manner": "unit", "engine_name": "docker", "live": True, "one_file": __file__},
        every=2,
    ),
    "vendor": Variant(_vendor, {"manner": "quadlet", "live": True}, every=5, kind=VendorArena),
    "engine": Variant(_engine, {"manner": "engine", "live": True}, every=10),
    "secret": Variant(_secret, every=10),
    "secret in advance": Variant(_secret_in_advance, every=20),
}
