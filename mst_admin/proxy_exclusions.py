"""Implementation of `mst-admin proxy-exclusions`."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from mst_admin.kinds.profile import PROFILE
from mst_admin.named_files import names_file, write_named
from mst_admin.objects.proxy_exclusions import judge_exclusions, read_csv, write_csv
from mst_admin.results import NOTHING
from mst_admin.session import READING, open_tenant
from mstunnel_setup.base.errors import ExitCode, TenantError, UsageError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import plain, text, verbatim
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import PROFILES, AdminGraph
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration

_LIST = "proxyExclusionList"
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")


class ExclusionCheck(Report):
    """Which entries Android takes."""

    entries: tuple[str, ...]
    accepted: int


class ExclusionChange(Report):
    """A changed list."""

    id: str = Field(description="Id of the profile.")
    before: tuple[str, ...]
    after: tuple[str, ...]


class ExclusionList(Report):
    """The list of a profile."""

    id: str = Field(description="Id of the profile.")
    entries: tuple[str, ...]
    file: str = Field(default="", description="Where it was written.")


def check(operator: Operator, entries: list[str]) -> Result[ExclusionCheck]:
    """Check entries and files of entries; exit code 2 if one is invalid.

    An argument with a slash, or ending in `.csv` or `.txt`, that is neither URL nor network is a file. Raises
    UsageError for a missing file.
    """
    found: list[str] = []
    for given in entries:
        is_address = "://" in given or _NETWORK.fullmatch(given)
        is_file = not is_address and ("/" in given or names_file(given, (".csv", ".txt")))
        found += _read(operator, Path(given)) if is_file else (given,)
    return _judged(found)


def _judged(entries: Sequence[str]) -> Result[ExclusionCheck]:
    findings = list(judge_exclusions(entries))
    warnings = tuple(item for item in findings if not item.fatal)
    errors = tuple(item for item in findings if item.fatal)
    report = ExclusionCheck(entries=tuple(entries), accepted=len(entries) - len(errors))
    if errors:
        return Result("error", report, warnings, errors, exit_code=ExitCode.USAGE)
    line = text("{entries} of {entries} entries can be used.", entries=report.accepted)
    return Result("ok", report, warnings, text=[line])


def import_list(operator: Operator, settings: Settings, file: Path, profile: str) -> Result:
    """Replace the list of a profile. Raises ValuesError for entries that `check` rejects."""
    entries = _read(operator, file)
    judged = _judged(entries)
    if judged.exit_code:
        return judged
    graph = open_tenant(operator, settings)
    return _changed(graph, PROFILE.find(graph, profile).found, entries, judged.warnings)


def add_entry(operator: Operator, settings: Settings, entry: str, profile: str) -> Result:
    """Add one entry to the list of a profile; one that is there, in any case, stays as it is."""
    judged = _judged((entry,))
    if judged.exit_code:
        return judged
    graph = open_tenant(operator, settings)
    found = PROFILE.find(graph, profile).found
    present = _present(found)
    is_new = entry.casefold() not in map(str.casefold, present)
    return _changed(graph, found, (*present, entry) if is_new else present)


def remove_entry(operator: Operator, settings: Settings, entry: str, profile: str) -> Result:
    """Remove one entry from the list of a profile, compared without case.

    Raises TenantError `exclusion-missing` if the list does not have it.
    """
    graph = open_tenant(operator, settings)
    found = PROFILE.find(graph, profile).found
    present = _present(found)
    staying = tuple(item for item in present if item.casefold() != entry.casefold())
    if staying == present:
        raise TenantError(
            "exclusion-missing",
            "the list of {profile} does not have the entry {entry}",
            hint="`mst-admin proxy-exclusions export` prints the entries.",
            profile=found.display_name,
            entry=plain(entry, 80),
        )
    return _changed(graph, found, staying)


def _changed(
    graph: AdminGraph,
    found: DeviceConfiguration,
    entries: tuple[str, ...],
    warnings: tuple[Problem, ...] = (),
) -> Result[ExclusionChange]:
    """Write the list of a profile if it differs.

    Raises TenantError `exclusions-without-direct-proxy` if new entries would have no effect.
    """
    present = _present(found)
    if set(entries) - set(present) and not ((found.model_extra or {}).get("proxyServer") or {}).get(
        "address"
    ):
        raise TenantError(
            "exclusions-without-direct-proxy",
            "the profile {profile} has no direct proxy, so an exclusion list has no effect",
            hint="Set a proxy with address and port in the profile first.",
            profile=found.display_name,
        )
    report = ExclusionChange(id=found.id, before=present, after=entries)
    if entries == present:
        return Result("unchanged", report, warnings, text=[NOTHING])
    graph.update(PROFILES, found.id, {"@odata.type": found.odata_type, _LIST: [*entries]})
    lines = [
        text(
            "Exclusions of {display_name}: {entries} (before: {present}).",
            display_name=found.display_name,
            entries=len(entries),
            present=len(present),
        )
    ]
    return Result("changed", report, warnings, text=lines)


def export_list(
    operator: Operator, settings: Settings, profile: str, file: Path | None
) -> Result[ExclusionList]:
    """Write the list of a profile to a file, or to standard output."""
    found = PROFILE.find(open_tenant(operator, settings, READING), profile).found
    entries = _present(found)
    content = write_csv(entries)
    if file is None:
        return Result(report=ExclusionList(id=found.id, entries=entries), text=verbatim(content))
    path = file.absolute()
    write_named(path.parent, {path.name: content})
    line = text("Entries written to {path}: {entries}.", path=path, entries=len(entries))
    return Result("changed", ExclusionList(id=found.id, entries=entries, file=str(path)), text=[line])


def _present(found: DeviceConfiguration) -> tuple[str, ...]:
    listed = (found.model_extra or {}).get(_LIST)
    if listed is None:
        raise TenantError(
            "exclusions-not-supported",
            "{profile} is not an Android profile: only those have a proxy exclusion list",
            hint="Use an Android profile.",
            profile=found.display_name,
        )
    return tuple(map(str, listed))


def _read(operator: Operator, file: Path) -> tuple[str, ...]:
    path = str(file.absolute())
    content = operator.files.read_given(path)
    if content is None:
        raise UsageError("exclusions-missing", "there is no file {path}", hint="Check the path.", path=path)
    try:
        return read_csv(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            "exclusions-unreadable",
            "{path} is not a CSV file in UTF-8: {reason}",
            hint="Write one entry on each line and save the file as UTF-8.",
            path=path,
            reason=getattr(error, "reason", error),
        ) from error
