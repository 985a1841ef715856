"""The one list of steps: it drives the order of a run, `step NAME`, `--skip`, help and the docs page."""

from typing import Any

from mstunnel_setup.containers.actions import InstallQuadlet, InstallUnit, RunContainer, StartService
from mstunnel_setup.containers.choice import ChooseEngine
from mstunnel_setup.containers.image_actions import LoadImage, PullImage
from mstunnel_setup.containers.state_actions import MakeStateDirectory
from mstunnel_setup.engine.action import Codec
from mstunnel_setup.engine.file_actions import CopyFile, Link, MakeDirectory, MergeFile, WriteFile, WriteJson
from mstunnel_setup.engine.remember import Remember
from mstunnel_setup.engine.step import Step
from mstunnel_setup.gateway.actions import WriteGatewayConfiguration
from mstunnel_setup.steps import (
    bridge,
    certificate,
    configure,
    environment,
    eula,
    images,
    kernel,
    launch,
    monitor,
    program,
    proxy,
    register,
    sign_in,
    site,
    verify,
)
from mstunnel_setup.system.modules import LoadModule
from mstunnel_setup.system.selinux import LabelPort
from mstunnel_setup.system.service import InstallService
from mstunnel_setup.system.sysctls import SetSysctl
from mstunnel_setup.system.units import ConfigureUnit
from mstunnel_setup.tenant.actions import CreateAppIdentity, RegisterServer
from mstunnel_setup.tenant.prepared import PlaceAgentCredential, UseAppIdentity
from mstunnel_setup.tenant.secret import CreateAgentSecret, PlaceAgentSecret
from mstunnel_setup.tls.actions import CreateAgentCredential, PlaceIdentity
from mstunnel_setup.tls.schedule import ScheduleImport
from mstunnel_setup.upgrade.actions import OpenMailbox

ORDER: tuple[Step[Any, Any], ...] = (
    eula.STEP,
    program.STEP,
    environment.STEP,
    kernel.STEP,
    proxy.STEP,
    bridge.STEP,
    images.STEP,
    certificate.STEP,
    sign_in.STEP,
    site.STEP,
    register.STEP,
    configure.STEP,
    launch.STEP,
    monitor.STEP,
    verify.STEP,
)

CODEC = Codec(
    [
        ChooseEngine,
        ConfigureUnit,
        CopyFile,
        CreateAgentCredential,
        CreateAgentSecret,
        CreateAppIdentity,
        PlaceAgentCredential,
        PlaceAgentSecret,
        UseAppIdentity,
        InstallQuadlet,
        InstallService,
        InstallUnit,
        LabelPort,
        Link,
        LoadImage,
        LoadModule,
        MakeDirectory,
        MakeStateDirectory,
        MergeFile,
        OpenMailbox,
        PlaceIdentity,
        PullImage,
        RegisterServer,
        Remember,
        RunContainer,
        ScheduleImport,
        SetSysctl,
        StartService,
        WriteFile,
        WriteGatewayConfiguration,
        WriteJson,
    ]
)
