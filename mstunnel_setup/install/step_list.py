"""The lists of steps: they drive the order of a run, `step NAME`, `--skip`, help and the docs page.

What a person is asked comes first, and nothing that can stop for them comes after the sign-in: once the
server is registered it signs in itself, so that no later stop costs another sign-in.
"""

from collections.abc import Mapping

from mstunnel_setup.actions.accounts import CreateAccount, EnableLinger, GiveIds, JoinGroup
from mstunnel_setup.actions.agent_identity import (
    CreateAgentSecret,
    PlaceAgentCredential,
    PlaceAgentSecret,
    UseAppIdentity,
)
from mstunnel_setup.actions.certificate_schedule import ScheduleImport
from mstunnel_setup.actions.certificates import (
    CreateAgentCredential,
    FreshenIdentity,
    JudgeIdentity,
    PlaceIdentity,
    PlaceKey,
    PlaceRevocations,
)
from mstunnel_setup.actions.containers import MakeStateDirectory, RunContainer, StartService, StartServices
from mstunnel_setup.actions.directories import GiveDirectory, GiveToAgent, OpenMailbox
from mstunnel_setup.actions.files import (
    CopyFile,
    Link,
    LinkInPlace,
    MakeDirectory,
    MergeFile,
    WriteFile,
    WriteJson,
)
from mstunnel_setup.actions.forwarding import LimitForwarding
from mstunnel_setup.actions.gateway_configuration import WriteGatewayConfiguration
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.images import LoadImage, PullImage
from mstunnel_setup.actions.init_script import EnableInitScript
from mstunnel_setup.actions.kernel import LabelPort, LoadModule, SetSysctl
from mstunnel_setup.actions.loaded_files import WriteAuditRules, WriteMessageCatalogue
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.tenant_objects import (
    CreateAppIdentity,
    RegisterServer,
    RemoveApplication,
    RemoveServerRecord,
)
from mstunnel_setup.actions.units import (
    ConfigureUnit,
    InstallQuadlet,
    InstallService,
    InstallUnit,
    ReachTarget,
)
from mstunnel_setup.actions.uplink import InstallUplink
from mstunnel_setup.actions.vendor_gateway import (
    BackUpFiles,
    NoteRunning,
    SetAside,
    SetContainerAside,
    StopUnit,
)
from mstunnel_setup.containers.choice import ChooseEngine
from mstunnel_setup.install.radius import PlaceRadiusServers
from mstunnel_setup.install.steps import (
    account,
    audit,
    boot,
    bridge,
    certificate,
    configure,
    environment,
    eula,
    images,
    kernel,
    launch,
    logs,
    monitor,
    program,
    proxy,
    register,
    sign_in,
    site,
    uplink,
    verify,
)
from mstunnel_setup.install.tunnel_device import RenewTunnelDevice
from mstunnel_setup.transaction.action import Codec
from mstunnel_setup.transaction.step import AnyStep

ORDER: tuple[AnyStep, ...] = (
    eula.STEP,
    environment.STEP,
    certificate.STEP,
    sign_in.STEP,
    site.STEP,
    register.STEP,
    program.STEP,
    kernel.STEP,
    proxy.STEP,
    bridge.STEP,
    images.STEP,
    configure.STEP,
    launch.STEP,
    monitor.STEP,
    audit.STEP,
    logs.STEP,
    verify.STEP,
)

ROOTLESS: Mapping[Scope, tuple[AnyStep, ...]] = {
    Scope.HOST: (
        eula.BY_ROOT,
        account.STEP,
        program.STEP,
        kernel.STEP,
        uplink.STEP,
        proxy.SYSTEM,
        boot.STEP,
        audit.STEP,
        logs.STEP,
    ),
    Scope.ACCOUNT: (
        eula.STEP,
        environment.STEP,
        certificate.STEP,
        sign_in.STEP,
        site.STEP,
        register.STEP,
        proxy.UNITS,
        images.STEP,
        configure.STEP,
        launch.STEP,
        monitor.STEP,
        verify.STEP,
    ),
}


def steps_of(scope: Scope) -> tuple[AnyStep, ...]:
    """The steps of one part, or of all, in order."""
    return ORDER if scope is Scope.ALL else ROOTLESS[scope]


CODEC = Codec(
    [
        BackUpFiles,
        ChooseEngine,
        ConfigureUnit,
        CopyFile,
        CreateAccount,
        CreateAgentCredential,
        CreateAgentSecret,
        CreateAppIdentity,
        PlaceAgentCredential,
        PlaceAgentSecret,
        UseAppIdentity,
        EnableInitScript,
        EnableLinger,
        FreshenIdentity,
        JudgeIdentity,
        GiveDirectory,
        GiveToAgent,
        GiveIds,
        InstallQuadlet,
        InstallService,
        InstallUnit,
        InstallUplink,
        JoinGroup,
        LabelPort,
        LimitForwarding,
        Link,
        LinkInPlace,
        LoadImage,
        LoadModule,
        MakeDirectory,
        MakeStateDirectory,
        MergeFile,
        NoteRunning,
        OpenMailbox,
        PlaceIdentity,
        PlaceKey,
        PlaceRadiusServers,
        PlaceRevocations,
        PullImage,
        ReachTarget,
        RegisterServer,
        RenewTunnelDevice,
        StoreAnswer,
        RemoveApplication,
        RemoveServerRecord,
        RunContainer,
        ScheduleImport,
        SetAside,
        SetContainerAside,
        SetSysctl,
        StartService,
        StartServices,
        StopUnit,
        WriteAuditRules,
        WriteMessageCatalogue,
        WriteFile,
        WriteGatewayConfiguration,
        WriteJson,
    ]
)
