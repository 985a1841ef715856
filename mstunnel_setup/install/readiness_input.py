"""What the readiness checks need to know from the answers."""

from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.containers.choice import engine_of
from mstunnel_setup.install.context import Context
from mstunnel_setup.readiness.facts import EngineName, Settings


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
    find = context.ports.processes.find
    return "docker" if find("podman") is None and find("docker") is not None else "podman"
