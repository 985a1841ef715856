"""`mst-admin profile`: the work."""

import json
from pathlib import Path

from mst_admin.carry_out import carry_out, read_profiles
from mst_admin.errors import NAME_TAKEN, NAME_UNKNOWN, PROFILE_UNKNOWN
from mst_admin.file_commands import linted, placed, written
from mst_admin.find import find_one, find_site
from mst_admin.judged_values import judged
from mst_admin.lines import details, table
from mst_admin.named_files import names_file
from mst_admin.plan import place_of
from mst_admin.present_profiles import PresentProfile, is_tunnel
from mst_admin.profile_changes import profile_changes, profile_deletions
from mst_admin.profiles.lint import lint as lint_present
from mst_admin.profiles.lint import split_rules
from mst_admin.profiles.objects import ProfileFile
from mst_admin.profiles.present import is_tunnel_profile, profile_object
from mst_admin.profiles.root import with_root
from mst_admin.profiles.rules import judge_profile
from mst_admin.profiles.wire import root_name
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers import describe
from mstunnel_setup.answers.document import Document, DocumentError, parse_as, read
from mstunnel_setup.base.errors import UsageError, ValuesError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text, verbatim
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import DeviceConfiguration


def list_profiles(operator: Operator, settings: Settings) -> Result:
    """The VPN profiles whose connection is Microsoft Tunnel."""
    found = [item for item in open_tenant(operator, settings).profiles() if is_tunnel_profile(item)]
    rows = [(item.display_name, item.odata_type.rpartition(".")[2], item.id) for item in found]
    data = {"profiles": [item.model_dump(mode="json", by_alias=True) for item in found]}
    return Result(data=data, text=table(rows, ("NAME", "TYPE", "ID"), text("There is no VPN profile yet.")))


def show(operator: Operator, settings: Settings, wanted: str) -> Result:
    """One profile and its assignments."""
    graph = open_tenant(operator, settings)
    found = find_profile(graph, wanted)
    assigned = graph.assignments(found.id)
    site = str((found.model_extra or {}).get("microsoftTunnelSiteId") or "")
    names = {item.id: item.display_name for item in graph.sites()}
    document = found.model_dump(mode="json", by_alias=True)
    assignments = [item.model_dump(mode="json", by_alias=True) for item in assigned]
    text = details({**document, "assignments": [item["target"] for item in assignments]})
    if is_tunnel_profile(found):
        declared = profile_object(found, assigned).model_dump(mode="json", exclude_defaults=True)
        text = details({**declared, "site": names.get(site, site), "id": found.id})
    return Result(data={"profile": document, "assignments": assignments}, text=text)


def create(operator: Operator, settings: Settings, file: Path) -> Result:
    """Create the profile of a file. Raises ValuesError with everything that is wrong."""
    return _apply(operator, settings, file, new=True)


def update(operator: Operator, settings: Settings, file: Path) -> Result:
    """Make the tenant's profile as its file says; the errors are those of `create`."""
    return _apply(operator, settings, file, new=False)


def delete(operator: Operator, settings: Settings, wanted: str, *, yes: bool) -> Result:
    """Delete a profile, and the trusted root that goes with it.

    An id may be that of any profile: one that is not for the tunnel is a TenantError `name-unknown`.
    """
    graph = open_tenant(operator, settings)
    found = find_profile(graph, wanted)
    if not is_tunnel_profile(found):
        raise NAME_UNKNOWN(place="tenant", kind="profile", name=wanted, command="profile")
    present = [PresentProfile(found), *read_profiles(graph, root_name(found.display_name))]
    changes = list(profile_deletions(found.display_name, present))
    make_sure(operator, f"Delete the profile {found.display_name} ({found.id})?", yes=yes)
    carry_out(changes, graph)
    return written(changes, {"profile": found.id})


def _apply(operator: Operator, settings: Settings, file: Path, *, new: bool) -> Result:
    document, declared = _load(file)
    judged(placed(judge_profile(declared), document))
    profile = with_root(declared)
    graph = open_tenant(operator, settings)
    present = [*read_profiles(graph, profile.name), *read_profiles(graph, root_name(profile.name))]
    there = any(is_tunnel(item) for item in present)
    if new and there:
        raise NAME_TAKEN(place="tenant", kind="profile", name=profile.name, command=text("profile update"))
    if not new and not there:
        raise PROFILE_UNKNOWN(name=profile.name)
    site = find_site(graph, profile.site)
    warnings = judged(placed(judge_profile(profile, split_rules=split_rules(site)), document))
    changes = list(profile_changes(profile, place_of(site), present))
    carry_out(changes, graph)
    roots = graph.profiles(root_name(profile.name)) if profile.trusted_root else []
    made = {"profile": find_profile(graph, profile.name).id, "trusted_root": roots[0].id if roots else None}
    return written(changes, made, warnings)


def lint(operator: Operator, settings: Settings, wanted: str) -> Result:
    """What is wrong with a profile; the exit code is 2 when something is fatal, as of `create`."""
    if names_file(wanted, (".yaml", ".yml")):
        document, profile = _load(Path(wanted))
        findings = placed(judge_profile(profile), document)
    else:
        graph = open_tenant(operator, settings)
        found = find_profile(graph, wanted)
        named = str((found.model_extra or {}).get("microsoftTunnelSiteId") or "")
        site = graph.site(named) if is_guid(named) else None
        findings = list(lint_present(found, site, graph.assignments(found.id)))
    return linted("profile", wanted, findings)


def schema() -> Result:
    """The JSON Schema of profile files."""
    data = describe.schema(ProfileFile)
    return Result(data=data, text=verbatim(json.dumps(data, indent=2)))


def find_profile(graph: AdminGraph, wanted: str) -> DeviceConfiguration:
    """The VPN profile with this name or id. Raises what `find_one` raises."""

    def called(name: str) -> list[DeviceConfiguration]:
        return [item for item in graph.profiles(name) if is_tunnel_profile(item)]

    return find_one("profile", wanted, graph.profile, called)


def _load(file: Path) -> tuple[Document, ProfileFile]:
    path = file.absolute()
    try:
        return parse_as(
            ProfileFile, read(path), str(path), "profiles", frozenset({("custom_settings",), ("groups",)})
        )
    except OSError as error:
        raise UsageError(
            "profile-unreadable",
            "the profile {path} cannot be read: {reason}",
            hint="Check the path.",
            path=path,
            reason=error.strerror,
        ) from error
    except DocumentError as error:
        raise ValuesError(
            [
                UsageError(
                    "profile-invalid",
                    "{problem}",
                    hint=(
                        "Correct the file; `mst-admin profile schema` prints a JSON Schema that editors check"
                        " it with."
                    ),
                    problem=line,
                )
                for line in error.problems
            ]
        ) from error
