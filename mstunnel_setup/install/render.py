"""`mstunnel-setup render quadlet|kubernetes|helm`: the containers as files, without starting any.

The files come from the specifications that the step `launch` uses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Generic, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypeVar

from mstunnel_setup.base import paths
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import Verbatim, text
from mstunnel_setup.containers import manifests, quadlet
from mstunnel_setup.containers.manifests import ConfigurationFile
from mstunnel_setup.gateway.ocserv_conf import (
    DEVICE_AUTHORITY,
    DEVICE_REVOCATIONS,
    served_port,
    with_port,
)
from mstunnel_setup.install import our_containers
from mstunnel_setup.install.preflight import require_answers
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import open_run
from mstunnel_setup.install.steps import images, launch
from mstunnel_setup.io.operator import Operator, Settings

Format: TypeAlias = Literal["quadlet", "kubernetes", "helm"]

_MODE: Final = 0o644
# The containers do not work without these files; other files are included only if they exist.
_NEEDED: Final = (paths.OCSERV_CONF, paths.AGENT_INFO, paths.AGENT_SETTINGS)
_FURTHER: Final = (
    paths.PROBE_URL,
    paths.BALANCERS,
    paths.ADMIN_SETTINGS,
    paths.IMAGES_CONFIGURED,
    paths.HEALTH_THRESHOLDS,
    DEVICE_REVOCATIONS,
)


FormatT = TypeVar("FormatT", bound=Format, default=Format)


class RenderedFiles(Report, Generic[FormatT]):
    """The container definitions as files."""

    format: FormatT
    files: tuple[str, ...] = Field(description="The names of the files.")
    placeholders: tuple[str, ...] = Field(
        description="What is to be replaced in the texts, such as <content of FILE>."
    )
    texts: dict[str, str] = Field(
        default={}, description="The texts by name of the file; with --out they are in the files."
    )


@dataclass(frozen=True)
class RenderRequest:
    """The format, the directory to write to (None: standard output), and the port (None: the one in use)."""

    format: Format
    directory: Path | None = None
    port: int | None = None


def render(operator: Operator, settings: Settings, request: RenderRequest) -> Result[RenderedFiles]:
    """Return the container files, or write them to a directory. Raises UsageError for unknown images."""
    with open_run(operator, InstallRequest(settings), exclusively=False) as run:
        require_answers(run, [images.STEP])
        placeholders, texts = _texts(run, request)
    left = warning(
        "placeholders-left",
        "the manifest has placeholders: {placeholders}",
        hint="Replace each one with what it names, or create the Secrets with the commands at the top.",
        placeholders=", ".join(placeholders),
    )
    warnings = (left,) if placeholders else ()
    report = RenderedFiles(format=request.format, files=tuple(texts), placeholders=tuple(placeholders))
    if request.directory is None:
        report = report.model_copy(update={"texts": dict(texts)})
        shown: list[str] = []
        for name, content in texts.items():
            # On standard output several files are separated by comments with their names.
            shown += [*([f"# {name}"] if len(texts) > 1 else []), *content.splitlines()]
        return Result("ok", report, warnings, text=[*map(Verbatim, shown)])
    files = operator.files.given
    files.make_directories(str(request.directory))
    found = {f"{request.directory}/{name}": content.encode() for name, content in texts.items()}
    written = [path for path, content in found.items() if files.read(path) != content]
    for path in written:
        files.write(path, found[path], _MODE)
    lines = [text("Written: {name}.", name=name) for name in written] or [text("All files are as they were.")]
    return Result("changed" if written else "unchanged", report, warnings, text=lines)


def _texts(run: Run, request: RenderRequest) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the placeholders that the administrator must replace, and the text of each file by its name."""
    port = request.port or served_port(run.files.read(paths.OCSERV_CONF) or b"") or run.port
    server_image, agent_image = images.references(run)
    host = launch.container_host(run, port)
    if request.format != "quadlet":
        # A pod cannot reach the host's journal, and has its own network.
        host = replace(host, ipv6_network="", journal="", network="", resolver="", rootless=False)
    server = our_containers.server(server_image, host, port)
    agent = our_containers.agent(agent_image, host)
    if request.format == "quadlet":
        specs = (server, agent)
        return (), {f"{spec.name}.container": quadlet.render(spec, rootless=paths.ROOTLESS) for spec in specs}
    files = [*_configuration(run, port)]
    unknown = [
        file.content for file in files if file.content in (manifests.placeholder(file.path), manifests.NODES)
    ]
    if request.format == "helm":
        return unknown, {"values.yaml": manifests.helm_values(server, agent, files, access_log=host.traced)}
    secrets = map(manifests.placeholder, manifests.SECRET_FILES)
    return (*secrets, *unknown), {"mstunnel.yaml": manifests.manifest(server, agent, files)}


def _configuration(run: Run, port: int) -> Iterator[ConfigurationFile]:
    """Yield the files of the ConfigMap for a gateway on this port; none of them holds a secret."""
    files, answers = run.files, run.answers
    # The gateway verifies the tokens and certificates of devices with these files.
    judged = {
        paths.OIDC_JSON: answers.authentication == "oidc",
        DEVICE_AUTHORITY: answers.certificates_of_devices,
    }
    needed = [*_NEEDED, *(path for path, wanted in judged.items() if wanted)]
    roots = [f"{paths.CA_TRUST}/{name}" for name in files.names(paths.CA_TRUST) if name.endswith(".crt")]
    for path in (*needed, *_FURTHER, *roots):
        content = files.read(path)
        if content is not None:
            content = with_port(content, port) if path == paths.OCSERV_CONF else content
            yield ConfigurationFile(path, content.decode("utf-8", errors="replace"))
        elif path in needed:
            yield ConfigurationFile(path, manifests.placeholder(path))
    yield ConfigurationFile(paths.HOST_ADDRESSES, manifests.NODES)
