"""Bodies that write directory objects: applications, service principals, app role assignments."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import AwareDatetime, Field, StrictStr, model_validator

from mstunnel_lab.graph.bodies import Body, Guid, Part, Text
from mstunnel_setup.tenant.wire import Application, AppRoleAssignment, ServicePrincipal, WireModel

_MIN_KEY_BITS: Final = 2048


class KeyCredentialBody(Part):
    """A certificate of an application; without `key` it refers to one the application has, by `keyId`."""

    key_id: Guid | None = None
    display_name: Text | None = None
    custom_key_identifier: StrictStr | None = None
    type: Literal["AsymmetricX509Cert"]
    usage: Literal["Verify"]
    key: StrictStr | None = None
    start_date_time: AwareDatetime | None = None
    end_date_time: AwareDatetime | None = None

    @property
    def certificate(self) -> x509.Certificate | None:
        """The certificate in `key`; raises ValueError when it is none in base64 DER."""
        if self.key is None:
            return None
        try:
            return x509.load_der_x509_certificate(base64.b64decode(self.key, validate=True))
        except binascii.Error as error:
            raise ValueError("key must be base64") from error

    @model_validator(mode="after")
    def _certificate_is_usable(self) -> Self:
        certificate = self.certificate
        if certificate is None:
            if self.key_id is None:
                raise ValueError("a key credential needs a key")
            return self
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
            raise ValueError(f"the certificate must have an RSA key of {_MIN_KEY_BITS} bits or more")
        if certificate.not_valid_after_utc <= datetime.now(UTC):
            raise ValueError("the certificate has expired")
        if self.end_date_time and self.end_date_time > certificate.not_valid_after_utc:
            raise ValueError("endDateTime is after the end of the certificate")
        return self


class PasswordWishBody(Part):
    """What a caller may say of the secret that it wants; Entra chooses the text."""

    display_name: Text | None = None
    start_date_time: AwareDatetime | None = None
    end_date_time: AwareDatetime | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        start = self.start_date_time or datetime.now(UTC)
        if self.end_date_time and self.end_date_time <= start:
            raise ValueError("endDateTime must be after startDateTime")
        return self


class DirectoryBody(Body):
    """Base of the bodies of Graph's directory."""

    code = "Request_BadRequest"


class AddPasswordBody(DirectoryBody):
    """Parameters of addPassword."""

    entity = Application
    type_name = "microsoft.graph.application"

    password_credential: PasswordWishBody = PasswordWishBody()


class KeyReferenceBody(DirectoryBody):
    """Parameters of removePassword."""

    entity = Application
    type_name = "microsoft.graph.application"

    key_id: Guid


class ResourceAccessBody(Part):
    """resourceAccess: one permission that an application declares."""

    id: Guid
    type: Literal["Role", "Scope"]


class RequiredResourceAccessBody(Part):
    """requiredResourceAccess: the permissions of one resource, for the consent page."""

    resource_app_id: Guid
    resource_access: tuple[ResourceAccessBody, ...]


class ApplicationBody(DirectoryBody):
    """application; passwords cannot be set here."""

    entity = Application
    type_name = "microsoft.graph.application"

    display_name: Annotated[StrictStr, Field(min_length=1, max_length=256)]
    description: Text | None = None
    notes: Text | None = None
    sign_in_audience: Literal["AzureADMyOrg"] = "AzureADMyOrg"
    tags: tuple[StrictStr, ...] = ()
    key_credentials: tuple[KeyCredentialBody, ...] = ()
    password_credentials: Annotated[tuple[object, ...], Field(max_length=0)] = ()
    required_resource_access: tuple[RequiredResourceAccessBody, ...] = ()


class ServicePrincipalBody(DirectoryBody):
    """servicePrincipal."""

    entity = ServicePrincipal
    type_name = "microsoft.graph.servicePrincipal"

    app_id: Guid


class AppRoleAssignmentBody(DirectoryBody):
    """appRoleAssignment."""

    entity = AppRoleAssignment
    type_name = "microsoft.graph.appRoleAssignment"

    principal_id: Guid
    resource_id: Guid
    app_role_id: Guid


class OwnerBody(DirectoryBody):
    """A reference to a directory object by its address."""

    entity = WireModel
    type_name = "microsoft.graph.directoryObject"

    reference: Annotated[
        StrictStr,
        Field(alias="@odata.id", pattern=r"/(directoryObjects|users|servicePrincipals)/[0-9a-fA-F-]{36}$"),
    ]

    @property
    def owner_id(self) -> str:
        """Id of the object that the reference names."""
        return self.reference[-36:]
