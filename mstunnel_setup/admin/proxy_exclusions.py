"""`mst-admin proxy-exclusions`: the work."""

import csv
from collections.abc import Sequence
from pathlib import Path

from mstunnel_setup.admin.change import Body
from mstunnel_setup.admin.errors import (
    EXCLUSIONS_MISSING,
    EXCLUSIONS_NOT_SUPPORTED,
    EXCLUSIONS_UNREADABLE,
    EXCLUSIONS_WITHOUT_DIRECT_PROXY,
)
from mstunnel_setup.admin.named_files import names_file, write_named
from mstunnel_setup.admin.profile_commands import find_profile
from mstunnel_setup.admin.profiles.exclusions import judge_exclusions, read_csv, write_csv
from mstunnel_setup.admin.session import open_tenant
from mstunnel_setup.errors import ExitCode
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Result, notice_of
from mstunnel_setup.tenant.wire import DeviceConfiguration
from mstunnel_setup.text import verbatim

_LIST = "proxyExclusionList"


def check(operator: Operator, entries: list[str]) -> Result:
    """Judge entries, and those in files; the exit code is that of a failed check when one is refused.

    Raises UsageError for a file that is missing.
    """
    return _judged([item for entry in entries for item in _entries(operator, entry)])


def _judged(entries: Sequence[str]) -> Result:
    findings = judge_exclusions(entries)
    warnings = tuple(notice_of(item) for item in findings if not item.fatal)
    errors = tuple(notice_of(item) for item in findings if item.fatal)
    data: Body = {"entries": [*entries], "accepted": len(entries) - len(errors)}
    if errors:
        return Result("error", data, warnings, errors, exit_code=ExitCode.CHECK)
    return Result("ok", data, warnings, text=[f"Entries that can be used: {len(entries)} (all)."])


def import_list(operator: Operator, settings: Settings, file: Path, profile: str) -> Result:
    """Replace the list of a profile; one that `check` refuses is refused alike."""
    entries = list(_read(operator, file))
    judged = _judged(entries)
    if judged.exit_code:
        return judged
    graph = open_tenant(operator, settings)
    found = find_profile(graph, profile)
    present = _present(found)
    if not ((found.model_extra or {}).get("proxyServer") or {}).get("address"):
        raise EXCLUSIONS_WITHOUT_DIRECT_PROXY(profile=found.display_name)
    data = {"id": found.id, "before": present, "after": entries}
    if entries == present:
        return Result("unchanged", data, judged.warnings, text=["Nothing to change."])
    graph.update_profile(found.id, {"@odata.type": found.odata_type, _LIST: entries})
    text = [f"Exclusions of {found.display_name}: {len(entries)} (before: {len(present)})."]
    return Result("changed", data, judged.warnings, text=text)


def export_list(operator: Operator, settings: Settings, profile: str, file: Path | None) -> Result:
    """Write the list of a profile to a file, or to standard output."""
    found = find_profile(open_tenant(operator, settings), profile)
    entries = _present(found)
    data: Body = {"id": found.id, "entries": entries}
    content = write_csv(entries)
    if file is None:
        return Result(data=data, text=verbatim(content))
    path = str(file.absolute())
    write_named(file.absolute().parent, {file.name: content})
    return Result("changed", {**data, "file": path}, text=[f"Entries written to {path}: {len(entries)}."])


def _present(found: DeviceConfiguration) -> list[str]:
    listed = (found.model_extra or {}).get(_LIST)
    if listed is None:
        raise EXCLUSIONS_NOT_SUPPORTED(profile=found.display_name)
    return [str(item) for item in listed]


def _entries(operator: Operator, given: str) -> tuple[str, ...]:
    """An entry, or those in a file. No entry has a slash in it, and no domain ends in `.csv` or `.txt`."""
    is_file = "/" in given or names_file(given, (".csv", ".txt"))
    return _read(operator, Path(given)) if is_file else (given,)


def _read(operator: Operator, file: Path) -> tuple[str, ...]:
    path = str(file.absolute())
    content = operator.files.read_given(path)
    if content is None:
        raise EXCLUSIONS_MISSING(path=path)
    try:
        return read_csv(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise EXCLUSIONS_UNREADABLE(path=path, reason=error.reason) from error
    except csv.Error as error:
        raise EXCLUSIONS_UNREADABLE(path=path, reason=error) from error
