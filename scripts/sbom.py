"""Lists of packages as CycloneDX documents (specification 1.6)."""

import json
from urllib.parse import quote

from mstunnel_setup import __version__


def document(name: str, packages: str, kind: str) -> str:
    """The SBOM of the `kind` (application, container) called `name`.

    `packages` has lines of package, version, and architecture or `wheel`.
    """
    components = [_component(*line.split()) for line in packages.splitlines()]
    described = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": kind, "name": name, "version": __version__}},
        "components": components,
    }
    return json.dumps(described, indent=1) + "\n"


def _component(name: str, version: str, kind: str) -> dict[str, str]:
    escaped = quote(version, safe="+~")
    if kind == "wheel":
        identifier = f"pkg:pypi/{name.lower().replace('_', '-')}@{escaped}"
    else:
        identifier = f"pkg:deb/debian/{name}@{escaped}?arch={kind}"
    return {"type": "library", "bom-ref": identifier, "name": name, "version": version, "purl": identifier}
