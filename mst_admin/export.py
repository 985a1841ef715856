"""A tenant written as declarations: the files that would make another tenant equal to it."""

import json
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from typing import Final

from ruamel.yaml import YAML

from mst_admin.change import Wire
from mst_admin.kinds import KINDS
from mst_admin.kinds.kind import CommandKind
from mst_admin.kinds.tenant import Declarations, TenantObjects
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.text import plain

_SCHEMA_FILE: Final = "schema.json"
_HEAD: Final = f"# yaml-language-server: $schema={_SCHEMA_FILE}\n"


def files_of(tenant: TenantObjects) -> dict[str, str]:
    """The files of an export by name: declarations, and the JSON Schema for editors."""
    schema = json.dumps(describe.schema(Declarations), indent=2) + "\n"
    return {**declarations_of(tenant), _SCHEMA_FILE: schema}


def declarations_of(tenant: TenantObjects) -> dict[str, str]:
    """YAML files by name. Values are written as the tenant has them, also such as the rules would refuse."""
    files = {}
    for kind in KINDS:
        objects = [item.model_dump(mode="json", exclude_defaults=True) for item in kind.declared_of(tenant)]
        if objects:
            files[f"{kind.section}.yaml"] = _HEAD + to_yaml({"version": 1, kind.section: objects})
    return files


def warnings_of(tenant: TenantObjects) -> Iterator[Finding]:
    """What no declaration can tell apart, and what the tenant has beside what a file can hold."""
    yield from shared_names(tenant)
    for kind in KINDS:
        yield from kind.not_declarable(tenant)


def shared_names(tenant: TenantObjects) -> Iterator[Finding]:
    """What no declaration can tell apart: objects of one kind that have one name."""
    for kind in KINDS:
        if not isinstance(kind, CommandKind) or kind.key != "name":
            continue
        names = [item.name for item in kind.declared_of(tenant)]
        for name, count in Counter(map(str.casefold, names)).items():
            if count > 1:
                yield finding(
                    "name",
                    "name-ambiguous",
                    "{count} objects of the kind {kind} are called {name}",
                    hint="Rename all but one in the tenant: `apply` and `diff` find objects by name.",
                    fatal=False,
                    count=count,
                    kind=kind.label,
                    name=plain(next(item for item in names if item.casefold() == name)),
                )


def to_yaml(document: Wire) -> str:
    """A mapping as block-style YAML, keys in their order."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
