"""Everything that was found out about a host and its surroundings: frozen values that can be kept as JSON."""

from pydantic import Field

from mstunnel_setup.readiness.facts.account import AccountFacts
from mstunnel_setup.readiness.facts.certificate import CertificateFacts, RevocationFacts
from mstunnel_setup.readiness.facts.cloud import NetworkFacts
from mstunnel_setup.readiness.facts.host import (
    AddressFacts,
    KernelFacts,
    PortFacts,
    ProxyFacts,
    RootlessFacts,
    SystemFacts,
    TunnelFacts,
)
from mstunnel_setup.readiness.facts.inbound import InboundFacts
from mstunnel_setup.readiness.facts.programs import EngineFacts, SecurityFacts
from mstunnel_setup.readiness.facts.section import Section, Settings
from mstunnel_setup.readiness.facts.vendor import VendorFacts


class Unread(Section):
    """Why a section was not found out. Without a `hint` there was not enough time."""

    reason: str
    hint: str = ""


class Facts(Section):
    """Everything. A section is None when it was not found out; `unread` then says why."""

    settings: Settings = Settings()
    system: SystemFacts | None = None
    kernel: KernelFacts | None = None
    engine: EngineFacts | None = None
    addresses: AddressFacts | None = None
    tunnel: TunnelFacts | None = None
    proxies: ProxyFacts | None = None
    security: SecurityFacts | None = None
    ports: PortFacts | None = None
    vendor: VendorFacts | None = None
    rootless: RootlessFacts | None = None
    certificate: CertificateFacts | None = None
    revocation: RevocationFacts | None = None
    network: NetworkFacts | None = None
    account: AccountFacts | None = None
    inbound: InboundFacts | None = None
    unread: dict[str, Unread] = Field(default_factory=dict)
