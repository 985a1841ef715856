"""Trusted roots: declared by themselves, or as a part of a VPN profile."""

from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from ssl import DER_cert_to_PEM_cert

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import BasicConstraints, Certificate, ExtensionNotFound, load_pem_x509_certificate
from typing_extensions import override

from mst_admin.change import ASSIGNMENTS, TYPE, Change, differences, update
from mst_admin.errors import PROFILE_PLATFORM_FIXED
from mst_admin.kinds.kind import Kind, References, only
from mst_admin.kinds.tenant import Declarations, Planning, TenantObjects
from mst_admin.objects.mam import mam_object
from mst_admin.objects.parts import assignees, targets, wanted_targets
from mst_admin.objects.profile import PEM_START, TrustedRootObject
from mst_admin.objects.profile_rules import judge_root
from mst_admin.objects.profile_wire import ROOT_PLATFORMS, PresentProfile, extra, is_root_name, root_body
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.io.files import Files


class TrustedRootKind(Kind[TrustedRootObject, PresentProfile]):
    """Certificates of private authorities that devices and apps trust. They have no commands of their own."""

    name = "trusted root"
    what = "trusted root"
    section = "trusted_roots"
    certificate_key = "certificate"

    @override
    def judge(
        self, declared: TrustedRootObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        return judge_root(declared)

    @override
    def completed(self, declared: TrustedRootObject) -> TrustedRootObject:
        certificate = certificate_in(declared.certificate, self.certificate_key)
        return declared.model_copy(update={"certificate": certificate})

    @override
    def declared_of(self, tenant: TenantObjects) -> Sequence[TrustedRootObject]:
        """Those that Tunnel for MAM names and that do not go with a VPN profile."""
        return [
            TrustedRootObject.model_construct(
                name=item.name,
                platform=ROOT_PLATFORMS[item.found.odata_type],
                certificate=pem,
                role_scope_tag_ids=item.found.role_scope_tag_ids,
                **assignees(item.assignments),
            )
            for item in roots_of_mam(tenant)
            if (pem := pem_of(item)) and not is_root_name(item.name)
        ]

    @override
    def changes(self, declared: TrustedRootObject, planning: Planning) -> Iterator[Change]:
        yield from root_changes(declared, planning.tenant.profiles)

    @override
    def create(self, change: Change, references: References) -> None:
        graph = references.graph
        body = {name: value for name, value in change.after.items() if name != ASSIGNMENTS}
        graph.assign(graph.create_profile(body).id, change.after[ASSIGNMENTS])

    @override
    def update(self, change: Change, references: References) -> None:
        graph = references.graph
        if body := {name: value for name, value in change.after.items() if name != ASSIGNMENTS}:
            graph.update_profile(change.identifier, {**body, TYPE: change.before[TYPE]})
        if ASSIGNMENTS in change.after:
            graph.assign(change.identifier, change.after[ASSIGNMENTS])

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete_profile(change.identifier)


TRUSTED_ROOT = TrustedRootKind()


def roots_of_mam(tenant: TenantObjects) -> list[PresentProfile]:
    """The trusted roots that Tunnel for MAM names, compared as Graph does: without regard to case."""
    wanted = {name.casefold() for mam in tenant.mam for name in mam_object(mam).trusted_roots}
    return [item for item in tenant.profiles if not item.is_tunnel and item.name.casefold() in wanted]


def pem_of(root: PresentProfile) -> str | None:
    """The certificate of a trusted root of the tenant, as PEM."""
    der = extra(root.found).get("trustedRootCertificate")
    return DER_cert_to_PEM_cert(b64decode(der)) if der else None


def certificate_in(given: str, key: str) -> str:
    """The one certificate at a path, or in a text, as PEM. Raises CertificateError."""
    inline = given.lstrip().startswith(PEM_START)
    content = given.encode() if inline else Files().read(given)
    if content is None:
        raise CertificateError(
            "trusted-root-missing", "there is no certificate at {path}", hint="Check the path.", path=given
        )
    (root, *others) = read_material(content).certificates or (None,)
    if root is None or others or not _is_authority(root):
        raise CertificateError(
            "trusted-root-unsuitable",
            "{path} does not hold exactly one CA certificate",
            hint="Use only the root certificate of the CA that issued the gateway's certificate.",
            path=key if inline else given,
        )
    return root.public_bytes(Encoding.PEM).decode()


def root_changes(declared: TrustedRootObject, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """What makes the tenant's trusted root as declared; its certificate is in PEM.

    Raises TenantError: `name-ambiguous`, `profile-platform-fixed`.
    """
    body = root_body(declared, load_pem_x509_certificate(declared.certificate.encode()))
    found = _named(declared.name, present)
    if found is None:
        after = {**body, ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "trusted root", declared.name, after=after)
        return
    if found.found.odata_type != body[TYPE]:
        raise PROFILE_PLATFORM_FIXED(profile=found.name, platform=declared.platform)
    body[ASSIGNMENTS] = wanted_targets(declared, found.assignments)
    before = found.properties
    yield from update("trusted root", found.name, found.id, before, differences(before, body))


def root_deletion(name: str, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """What deletes the trusted root of that name, if there is one."""
    found = _named(name, present)
    if found is not None:
        yield Change("delete", "trusted root", found.name, found.id)


def _named(name: str, present: Sequence[PresentProfile]) -> PresentProfile | None:
    roots = [item for item in present if not item.is_tunnel and item.name.casefold() == name.casefold()]
    return only(roots, "profile", name)


def _is_authority(certificate: Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        return False
