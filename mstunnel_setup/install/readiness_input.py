"""The gateway as the readiness checks see it: settings from the answers, its engine, whether it gets IPv6."""

from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.containers.choice import engine_of
from mstunnel_setup.install.context import Context
from mstunnel_setup.readiness.checks.addresses import obstacle
from mstunnel_setup.readiness.facts.host import HostReader
from mstunnel_setup.readiness.facts.section import EngineName, Settings


def readiness_settings(answers: AnswerFile, port: int = 443) -> Settings:
    """The planned gateway, as the answers describe it."""
    return Settings(
        mode=answers.mode,
        account=answers.account,
        engine=answers.engine,
        cloud=answers.tenant.cloud,
        port=port,
        bridge=answers.bridge or "",
    )


def engine_name(context: Context) -> EngineName:
    """That of the installation here, else the one asked for, else Podman, or Docker where only that is.

    Nothing is asked of the engine itself: once it runs for us it would not see what is about to be changed.
    """
    installed, wanted = engine_of(context.receipt), context.answers.engine
    if installed is not None:
        return installed
    if wanted != "auto":
        return wanted
    find = context.host.processes.find
    return "docker" if find("podman") is None and find("docker") is not None else "podman"


def reaches_gateway(context: Context) -> bool:
    """Whether the host has IPv6, and its container engine can give it to the gateway."""
    reader = HostReader(context.host.files, context.host.clock, Settings(), {})
    engine = engine_name(context)
    return not obstacle(reader.addresses(), context.answers.mode, engine, reader.network_backend())


def hides_senders(context: Context) -> bool:
    """Whether Docker's own proxy takes IPv6 here: to the gateway each connection then comes from the host.

    A link-local address is enough, so a host without other ones is no exception.
    """
    found = HostReader(context.host.files, context.host.clock, Settings(), {}).addresses()
    return engine_name(context) == "docker" and found.ipv6 and not found.ipv6_disabled
