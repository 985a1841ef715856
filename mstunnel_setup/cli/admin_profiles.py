"""`mst-admin profile`: the work."""

import json
from pathlib import Path

from cryptography.x509 import BasicConstraints, Certificate, ExtensionNotFound

from mstunnel_setup.answers import describe
from mstunnel_setup.answers.document import Document, DocumentError, read
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.answers.problem import Problem
from mstunnel_setup.answers.problems import parse_as
from mstunnel_setup.cli.admin_tenant import (
    chosen,
    details,
    find_configuration,
    find_site,
    looks_like_id,
    open_tenant,
    table,
)
from mstunnel_setup.cli.options import SignInOptions
from mstunnel_setup.cli.render import Notice, Result, Session
from mstunnel_setup.errors import CertificateError, ExitCode, TenantError, UsageError
from mstunnel_setup.host.files import Files
from mstunnel_setup.profiles.lint import is_tunnel_profile
from mstunnel_setup.profiles.lint import lint as lint_present
from mstunnel_setup.profiles.objects import ProfileObject
from mstunnel_setup.profiles.rules import judge_profile
from mstunnel_setup.profiles.wire import profile_body, root_body, root_name, targets
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import DeviceConfiguration
from mstunnel_setup.tls.read import read_material

_HINT = "Correct the file; `mst-admin profile schema` prints a JSON Schema that editors check it with."


def list_profiles(session: Session, sign_in: SignInOptions) -> Result:
    """The VPN profiles whose connection is Microsoft Tunnel."""
    found = [item for item in open_tenant(session, sign_in).profiles() if is_tunnel_profile(item)]
    rows = [(item.display_name, item.odata_type.rpartition(".")[2], item.id) for item in found]
    data = {"profiles": [item.model_dump(mode="json", by_alias=True) for item in found]}
    return Result(data=data, text=table(rows, ("NAME", "TYPE", "ID"), "There is no VPN profile yet."))


def show(session: Session, sign_in: SignInOptions, wanted: str) -> Result:
    """One profile and its assignments."""
    graph = open_tenant(session, sign_in)
    found = find_profile(graph, wanted)
    assignments = [item.model_dump(mode="json", by_alias=True) for item in graph.assignments(found.id)]
    document = found.model_dump(mode="json", by_alias=True)
    text = details({**document, "assignments": [item["target"] for item in assignments]})
    return Result(data={"profile": document, "assignments": assignments}, text=text)


def create(session: Session, sign_in: SignInOptions, file: Path) -> Result:
    """Create the profile of a file. Raises UsageError `profile-invalid` with everything that is wrong."""
    document, profile = _load(file)
    _require(_lines(judge_profile(profile), document))
    root = _root(profile) if profile.trusted_root else None
    graph = open_tenant(session, sign_in)
    if graph.profiles(profile.name):
        raise TenantError(
            "name-taken",
            f"the tenant has a profile {profile.name} already",
            "Choose another name, or delete it in the admin center.",
        )
    site = find_site(graph, profile.site)
    used = site.microsoft_tunnel_configuration
    configuration = find_configuration(graph, used.id) if used else None
    split = bool(configuration.includes or configuration.excludes) if configuration else None
    warnings = _lines(judge_profile(profile, split_rules=split), document)
    data = {"trusted_root": _create_root(graph, profile, root) if root else None}
    port = (configuration.listen_port if configuration else None) or 443
    created = graph.create_profile(profile_body(profile, site, port))
    graph.assign(created.id, targets(profile))
    data["profile"] = created.id
    groups = len(profile.groups)
    text = [f"Created {created.display_name} ({created.id}), assigned to {groups} groups."]
    return Result("changed", data, _notices(warnings), text=text)


def lint(session: Session, sign_in: SignInOptions, wanted: str) -> Result:
    """What is wrong with a profile; the exit code is that of a failed check when something is fatal."""
    if Path(wanted).is_file():
        document, profile = _load(Path(wanted))
        findings = _lines(judge_profile(profile), document)
    else:
        graph = open_tenant(session, sign_in)
        found = find_profile(graph, wanted)
        named = str((found.model_extra or {}).get("microsoftTunnelSiteId") or "")
        site = graph.site(named) if looks_like_id(named) else None
        findings = [(item.message, item) for item in lint_present(found, site, graph.assignments(found.id))]
    fatal = [item for item in findings if item[1].fatal]
    warnings = _notices([item for item in findings if not item[1].fatal])
    if fatal:
        return Result("error", {"profile": wanted}, warnings, _notices(fatal), exit_code=ExitCode.CHECK)
    text = [f"Nothing in {wanted} keeps it from working."]
    return Result("warning" if warnings else "ok", {"profile": wanted}, warnings, text=text)


def schema() -> Result:
    """The JSON Schema of profile files."""
    data = describe.schema(ProfileObject)
    return Result(data=data, text=json.dumps(data, indent=2).splitlines())


def find_profile(graph: AdminGraph, wanted: str) -> DeviceConfiguration:
    """The VPN profile with this name or id. Raises TenantError."""
    by_id = graph.profile(wanted) if looks_like_id(wanted) else None
    named = [] if by_id else [item for item in graph.profiles(wanted) if is_tunnel_profile(item)]
    return chosen("VPN profile", wanted, named, by_id)


def _load(file: Path) -> tuple[Document, ProfileObject]:
    path = file.absolute()
    try:
        return parse_as(
            ProfileObject, read(path), str(path), "profiles", frozenset({("custom_settings",), ("groups",)})
        )
    except OSError as error:
        raise UsageError(
            "profile-unreadable", f"the profile {path} cannot be read: {error.strerror}", "Check the path."
        ) from error
    except DocumentError as error:
        raise UsageError("profile-invalid", "\n".join(error.problems), _HINT) from error


def _lines(findings: tuple[Finding, ...], document: Document) -> list[tuple[str, Finding]]:
    """Each finding with its place in the file in front of its message."""
    found = []
    for item in findings:
        at = document.position(Problem((item.key,), ""))
        found.append((f"{document.name}:{at.line}:{at.column}: {item.message}", item))
    return found


def _require(findings: list[tuple[str, Finding]]) -> None:
    fatal = [(line, item) for line, item in findings if item.fatal]
    if fatal:
        code = fatal[0][1].code if len(fatal) == 1 else "profile-invalid"
        hints = dict.fromkeys(item.hint for _, item in fatal)
        raise UsageError(code, "\n".join(line for line, _ in fatal), " ".join(hints))


def _notices(findings: list[tuple[str, Finding]]) -> tuple[Notice, ...]:
    return tuple(Notice(item.code, line, item.hint) for line, item in findings)


def _root(profile: ProfileObject) -> Certificate:
    """The root certificate of the private authority. Raises CertificateError."""
    path = str(profile.trusted_root)
    content = Files().read(path)
    if content is None:
        raise CertificateError(
            "trusted-root-missing", f"there is no certificate at {path}", "Check the path."
        )
    (root, *others) = read_material(content).certificates or (None,)
    if root is None or others or not _is_authority(root):
        raise CertificateError(
            "trusted-root-unsuitable",
            f"{path} is not the certificate of one authority",
            "Give the root of the authority that issued the gateway's certificate, and nothing else.",
        )
    return root


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False


def _create_root(graph: AdminGraph, profile: ProfileObject, root: Certificate) -> str:
    """Create and assign the trusted root; one of that name, left by an earlier attempt, is used again."""
    present = graph.profiles(root_name(profile))
    found = present[0] if present else graph.create_profile(root_body(profile, root))
    graph.assign(found.id, targets(profile))
    return found.id
