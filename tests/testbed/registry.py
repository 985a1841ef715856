"""A real container registry with the gateway and agent images and more releases of them, served read-only."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.testbed import cache, variants
from tests.testbed.images import Image, ImageSet
from tests.testbed.namespace import Namespace
from tests.testbed.paths import CACHE, RUNS
from tests.testbed.process import progress
from tests.testbed.signing import Signer

NAME = "registry.tunnel.test"
SERVED = ("gateway", "agent")
COMMAND = ("docker-registry", "serve", "/etc/docker/registry/testbed.yml")
DIRECTORY = CACHE / "registry"
SIGNER = "signer.pub"


@dataclass(frozen=True)
class Registry:
    """Directories to mount, the authority and the signer to trust, and each image as `name@sha256:...`."""

    volumes: tuple[tuple[Path, str], ...]
    authority: str
    signer: str
    references: dict[str, str]


def releases(references: Mapping[str, str], label: str, server: str, agent: str) -> str:
    """A list of releases with one, made of these images of the registry."""
    images = {"server": server, "agent": agent}
    lines = [f'{key} = "{references[image].rpartition("@")[2]}"' for key, image in images.items()]
    return "\n".join(["[[release]]", f'label = "{label}"', "published = 2026-11-01", *lines, ""])


def prepare(images: ImageSet) -> Registry:
    """The registry's directory for these images; fills it when it is not there yet."""
    recipes = [images[name].reference.rpartition(":")[2] for name in SERVED]
    directory = DIRECTORY / "-".join([*recipes, variants.digest()])
    with cache.writing():
        if not directory.is_dir():
            _fill(directory, images)
    volumes = _volumes(directory)
    references = json.loads((directory / "references.json").read_text())
    authority, signer = (directory / "tls" / "ca.pem").read_text(), (directory / SIGNER).read_text()
    return Registry(volumes, authority, signer, references)


def _fill(directory: Path, images: ImageSet) -> None:
    partial = directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _create(partial, images)
    partial.rename(directory)
    for old in DIRECTORY.iterdir():
        if old != directory and cache.unshared():
            shutil.rmtree(old)


def _volumes(directory: Path) -> tuple[tuple[Path, str], ...]:
    return (directory / "data", "/var/lib/registry"), (directory / "tls", "/etc/registry")


def _create(directory: Path, images: ImageSet) -> None:
    progress("registry: pushing images")
    tls = directory / "tls"
    tls.mkdir(parents=True)
    (directory / "data").mkdir()
    authority = trustme.CA(organization_name="Tunnel testbed")
    leaf = authority.issue_cert(NAME, "127.0.0.1")
    authority.cert_pem.write_to_path(tls / "ca.pem")
    leaf.private_key_pem.write_to_path(tls / "key.pem")
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(tls / "chain.pem", append=True)
    namespace = Namespace(RUNS / f"registry-{directory.name}")
    try:
        volumes = [f"--volume={path}:{where}" for path, where in _volumes(directory)]
        lab = images["lab"].reference
        namespace.podman("run", "--detach", "--name=registry", "--network=host", *volumes, lab, *COMMAND)
        # As `podman push` does it for a release: under the digests that the archive has.
        references = {name: _push(namespace, directory, name, images[name].reference) for name in SERVED}
        # Speed before size: the layers stay on this machine.
        fast = ("--compression-format=zstd", "--compression-level=1")
        for name, (base, recipe) in variants.RECIPES.items():
            local = _build(namespace, images[base], name, recipe)
            references[name] = _push(namespace, directory, base, local, *fast)
        _sign(namespace, directory, references)
    finally:
        namespace.close()
    (directory / "references.json").write_text(json.dumps(references))


def _sign(namespace: Namespace, directory: Path, references: dict[str, str]) -> None:
    signer, stranger = Signer(), Signer()
    for key, names in ((signer, variants.SIGNED), (stranger, variants.FORGED)):
        for name in names:
            key.attach(namespace, references[name], directory / "tls" / "ca.pem")
    (directory / SIGNER).write_text(signer.public)


def _build(namespace: Namespace, base: Image, name: str, recipe: str) -> str:
    """Build a variant of an image; returns its local name."""
    reference = f"localhost/variant/{name}:latest"
    file = f"FROM {base.reference}\n{recipe}"
    options = ["--quiet", "--network=none", "--pull=never", "--file=-", f"--tag={reference}"]
    namespace.run("podman", "build", *options, stdin=file, timeout=120)
    return reference


def _push(namespace: Namespace, directory: Path, name: str, reference: str, *compression: str) -> str:
    """Push one image over TLS and return `name@digest`, the digest being the registry's."""
    digest = directory / "digest"
    trust = [f"--cert-dir={directory / 'tls'}"]
    (directory / "tls" / "ca.crt").write_bytes((directory / "tls" / "ca.pem").read_bytes())
    options = [f"--digestfile={digest}", *compression, "--retry=5"]
    target = f"127.0.0.1:443/mstunnel/{name}:latest"
    namespace.podman("push", "--quiet", *trust, *options, reference, target, timeout=120)
    return f"{NAME}/mstunnel/{name}@{digest.read_text().strip()}"
