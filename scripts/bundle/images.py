"""`dist/mstunnel-images-VERSION-ARCH.tar`: the images of both containers in one OCI archive, and their SBOMs.

`python -m scripts.bundle.images` writes them, from the same build that the tests run on, for this machine's
architecture or that in `ARCH`. The images' times are those of wheels.EPOCH, so the same sources and packages
give the same digests.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from mstunnel_setup import __version__
from scripts.bundle import archive, debian, dist, image_index, sbom
from scripts.bundle.debian import Architecture
from scripts.release import sums
from tests.testbed import images
from tests.testbed.images import Image, ImageSet, builder

NAME = "localhost/mstunnel"
# Times on two cores that have nothing else to do.
_ANNOUNCEMENT = """\
images: building gateway and agent from packages of Debian and from this checkout, and an archive of both:
images: usually 2 minutes the first time, half a minute after a change of the program"""


def main() -> None:
    """Write archive, SBOMs and digests; print what each image weighs."""
    architecture = debian.architecture()
    if not _runs(architecture):
        sys.exit(
            f"images: this machine cannot run programs for {architecture.machine}; install qemu-user-binfmt,"
            " or build on a machine of that architecture"
        )
    print(_ANNOUNCEMENT, file=sys.stderr, flush=True)
    dist.DIST.mkdir(exist_ok=True)
    target = write(images.build_for(architecture), dist.DIST, architecture)
    print(f"dist/{target.name}: {target.stat().st_size / 1e6:.1f} MB")
    sums.finish(dist.DIST, dist.EPOCH)


def _runs(architecture: Architecture) -> bool:
    """Whether a program of the architecture can be started here: with qemu where it must."""
    program = debian.unpacked(architecture, "busybox-static") / "files/usr/bin/busybox"
    try:
        return subprocess.run([str(program), "true"], check=False, timeout=60).returncode == 0
    except OSError:
        return False


def write(built: ImageSet, folder: Path, architecture: Architecture) -> Path:
    """Write the archive (returned), the SBOMs, and the file with the digests that dist.py takes."""
    layout = folder / "images.work"
    shutil.rmtree(layout, ignore_errors=True)
    for name in images.RELEASED:
        _add(built[name], name, layout)
        document = sbom.document(f"mstunnel-{name}", "container", *_content(built[name], folder))
        (folder / f"mstunnel-{name}-{__version__}-{architecture.debian}.cdx.json").write_text(document)
    target = folder / image_index.archive_of(architecture.debian)
    with target.open("wb") as file:
        archive.write(layout, file, int(dist.EPOCH))
    manifests = json.loads((layout / "index.json").read_text())["manifests"]
    digests = {name: manifest["digest"] for name, manifest in zip(images.RELEASED, manifests, strict=True)}
    for name, digest in digests.items():
        print(f"{name}: {digest}")
    recorded = folder / f"images-{architecture.debian}.json"
    recorded.write_text(json.dumps({**digests, "archive": target.name}) + "\n")
    shutil.rmtree(layout)
    return target


def _add(image: Image, name: str, layout: Path) -> None:
    """Copy an image into the folder with the layout of an archive, layers compressed."""
    builder(
        "push",
        "--quiet",
        "--compress",
        image.reference,
        f"oci:{layout}:{NAME}/{name}:{__version__}",
        timeout=300,
    )
    size = int(builder("image", "inspect", "--format={{.Size}}", image.reference).stdout)
    print(f"{name}: {size / 1e6:.1f} MB")


def _content(image: Image, folder: Path) -> tuple[list[sbom.Part], dict[str, str]]:
    """The packages and the files of an image, read from its file system as it ships."""
    exported = folder / "images.work" / "exported.tar"
    container = builder("create", image.reference).stdout.strip()
    try:
        builder("export", f"--output={exported}", container, timeout=120)
        return sbom.of_image(exported)
    finally:
        exported.unlink(missing_ok=True)
        builder("rm", container)


if __name__ == "__main__":
    main()
