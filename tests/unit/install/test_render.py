"""The rendered files define the containers of the step `launch`, without secrets."""

import json
import re
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from mstunnel_setup.actions.units import InstallQuadlet
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.containers import quadlet
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS, ocserv_conf
from mstunnel_setup.install import render
from mstunnel_setup.install.render import Format, RenderRequest
from mstunnel_setup.install.steps import launch
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from tests.refusals import refused
from tests.unit.install.scenes import IMAGES, OSAKA, Scene, configuration
from tests.unit.operators import operator_of
from tests.unit.results import lines_of, object_of
from tests.unit.schemas import validate

SCHEMAS = json.loads((Path(__file__).parents[2] / "corpora/kubernetes/v1.37.json").read_text())
PAGE = (Path(__file__).parents[3] / "docs/how-to/render.md").read_text()
SECRET = "a-secret-of-this-host"


def check_object(kind: str, found: Any) -> None:
    """Raise ValidationError unless the object is valid by Kubernetes' schema, which is not itself checked."""
    jsonschema.Draft202012Validator({**SCHEMAS, "$ref": f"#/$defs/{kind}"}).validate(found)


@pytest.fixture(autouse=True)
def host(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a host with an installation whose secrets all contain the same word."""
    answered(scene, monkeypatch)
    for path in (paths.ENVIRONMENT, f"{paths.GENERATIONS}/1/key.pem", paths.AGENT_CREDENTIAL):
        scene.write(path, f"SECRET='{SECRET}'\n")
    for path in (paths.OIDC_JSON, paths.AGENT_INFO, paths.AGENT_SETTINGS):
        scene.write(path, "{}\n")
    scene.write(f"{paths.CA_TRUST}/tenant-ca.crt", "a root\n")
    wire = configuration(8443).to_wire()
    scene.write(paths.OCSERV_CONF, ocserv_conf(ServerConfiguration.from_wire(wire)))
    return scene


def rendered(scene: Scene, wanted: Format, directory: Path | None = None, port: int | None = None) -> Result:
    """Return the result after validating it by its schema."""
    result = render.render(operator_of(scene.root), {}, RenderRequest(wanted, directory, port))
    fixed = {"schema": "mstunnel/1", "command": f"mstunnel-setup render {wanted}", "errors": []}
    warnings = [notice.data for notice in result.warnings]
    validate({**fixed, "status": result.status, "warnings": warnings, "data": dict(result.data)})
    assert SECRET not in json.dumps(dict(result.data)) + "".join(lines_of(result))
    return result


def text_of(scene: Scene, wanted: Format, name: str, port: int | None = None) -> str:
    return str(object_of(rendered(scene, wanted, port=port), "texts")[name])


def test_quadlet_files_are_those_that_an_installation_writes(
    host: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("_TUN", ""), ("_CONTROLLERS", "cpu memory pids\n")):
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(launch, name, str(tmp_path / name))
    host.join(OSAKA)
    host.graph.configuration = configuration(8443)
    run = host.opened(**IMAGES)
    actions = launch.STEP.decide(launch.STEP.gather(run))
    written = {
        action.path.rpartition("/")[2]: action.text
        for action in actions
        if isinstance(action, InstallQuadlet)
    }
    assert len(written) == 2
    assert object_of(rendered(host, "quadlet"), "texts") == written


def test_podman_s_own_generator_accepts_the_quadlet_files(host: Scene) -> None:
    texts = object_of(rendered(host, "quadlet"), "texts")
    for name, text in texts.items():
        assert "ExecStart=" in quadlet.check(host.files, Processes(), name, str(text))


def answered(host: Scene, monkeypatch: pytest.MonkeyPatch, **answers: str) -> None:
    """Make `render` open its runs with these answers."""
    opened = host.opened(**IMAGES, **answers)
    monkeypatch.setattr(render, "open_run", lambda *_given, **_more: nullcontext(opened))


@pytest.mark.parametrize(
    "answers", [{"authentication": "certificate"}, {"authentication_also": "certificate"}]
)
def test_pod_gets_device_ca_and_crl_if_certificates_sign_in(
    host: Scene, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]
) -> None:
    host.files.remove(paths.OIDC_JSON)
    answered(host, monkeypatch, **answers)
    missing = f"<content of {DEVICE_AUTHORITY}>"
    assert missing in rendered(host, "kubernetes").data["placeholders"]
    host.write(DEVICE_AUTHORITY, "an authority\n")
    host.write(DEVICE_REVOCATIONS, "a list\n")
    assert missing not in rendered(host, "kubernetes").data["placeholders"]
    (found,) = documents(host)["ConfigMap"]
    assert found["data"]["certs__device-ca.crt"] == "an authority\n"
    assert found["data"]["certs__device-ca.crl"] == "a list\n"
    assert ("oidc.json" in found["data"]) is ("authentication_also" in answers)


def pod_of(scene: Scene) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the pod of the manifest with its containers, server and agent."""
    (deployment,) = documents(scene)["Deployment"]
    found = deployment["spec"]["template"]["spec"]
    server, agent = found["containers"]
    return found, server, agent


def documents(scene: Scene) -> dict[str, list[dict[str, Any]]]:
    """Return the objects of the manifest by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in YAML(typ="safe").load_all(text_of(scene, "kubernetes", "mstunnel.yaml")):
        found.setdefault(each["kind"], []).append(each)
    return found


def secrets(scene: Scene) -> dict[str, dict[str, str]]:
    """Return the data of the manifest's Secrets, as text or encoded, by name."""
    found = documents(scene)["Secret"]
    return {each["metadata"]["name"]: each.get("stringData", {}) | each.get("data", {}) for each in found}


def test_a_binary_credential_can_be_filled_in(host: Scene) -> None:
    (identity,) = (each for each in documents(host)["Secret"] if "stringData" not in each)
    assert identity["metadata"]["name"] == "mstunnel-identity"
    assert identity["data"] == {"agent.p12": f"<base64 of {paths.AGENT_CREDENTIAL}>"}


def test_the_manifest_is_valid_by_the_schemas_of_kubernetes(host: Scene) -> None:
    rendered = documents(host)
    assert {"Deployment", "Service", "Secret", "ConfigMap"} <= rendered.keys()
    for kind, found in rendered.items():
        for each in found:
            check_object(kind, each)
    (deployment,) = rendered["Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["capabilities"] = ["NET_ADMIN"]
    with pytest.raises(jsonschema.ValidationError):
        check_object("Deployment", deployment)


def test_one_pod_at_a_time_serves_and_sees_device_addresses(host: Scene) -> None:
    found = documents(host)
    (deployment,), (service,) = found["Deployment"], found["Service"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]["type"]) == (1, "Recreate")
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert [port["protocol"] for port in service["spec"]["ports"]] == ["TCP", "UDP"]


def test_pod_has_only_the_rights_of_the_container_specifications(host: Scene) -> None:
    pod, server, agent = pod_of(host)
    assert server["securityContext"]["capabilities"] == {
        "drop": ["ALL"],
        "add": ["NET_ADMIN", "CHOWN", "KILL", "SETGID", "SETUID"],
    }
    for each in (agent, *pod["initContainers"]):
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    for each in (server, agent, *pod["initContainers"]):
        assert each["securityContext"]["readOnlyRootFilesystem"]
        assert not each["securityContext"]["allowPrivilegeEscalation"]
    assert pod["automountServiceAccountToken"] is False
    keys = {each["name"]: [mount["name"] for mount in each["volumeMounts"]] for each in pod["containers"]}
    assert "certificate" in keys["mstunnel-server"]
    assert not {"certificate", "identity", "environment"} & {*keys["mstunnel-agent"]}
    assert not {"agent", "identity", "inbox"} & {*keys["mstunnel-server"]}
    volumes = {volume["name"] for volume in pod["volumes"]}
    mounted = {
        m["name"] for each in (*pod["containers"], *pod["initContainers"]) for m in each["volumeMounts"]
    }
    assert mounted == volumes


@pytest.mark.parametrize(("setting", "counts"), [("0", False), ("1", True), ("2", True)])
def test_access_log_makes_the_kernel_count_pod_connections(host: Scene, setting: str, counts: bool) -> None:
    host.write(paths.ENVIRONMENT, f"TRACE_SESSIONS={setting}\n")
    sysctls = {each["name"] for each in pod_of(host)[0]["securityContext"]["sysctls"]}
    counting = {
        f"net.netfilter.nf_conntrack_{name}" for name in ("acct", "tcp_timeout_time_wait", "timestamp")
    }
    assert sysctls & counting == (counting if counts else set())
    # Kubernetes treats the others as unsafe; the documentation lists those that nodes have to allow.
    assert [name for name in sysctls - {"net.ipv4.ip_unprivileged_port_start"} if name not in PAGE] == []
    assert YAML(typ="safe").load(text_of(host, "helm", "values.yaml"))["accessLog"] is counts


def test_each_container_writes_into_directories_of_its_own_user(host: Scene) -> None:
    _, server, agent = pod_of(host)
    paths_of = {
        each["name"]: {mount["mountPath"] for mount in each["volumeMounts"] if mount.get("subPath")}
        for each in (server, agent)
    }
    assert paths_of["mstunnel-server"] == {paths.SERVER_STATE_INSIDE}
    assert paths_of["mstunnel-agent"] == {
        *(paths.SERVER_STATE_INSIDE, paths.AGENT_STATE_INSIDE),
        *(paths.AGENT_DIRECTORY, paths.INBOX),
    }


@dataclass
class Pod:
    """A directory in which the pod's container `identity` runs, with the Secret and the volume claim."""

    script: str
    root: Path

    @property
    def credential(self) -> bytes:
        """The agent's credential in the volume claim."""
        return (self.root / "credential/own/agent.p12").read_bytes()

    def renew(self, content: bytes) -> None:
        """Replace the credential, as the agent does."""
        (self.root / "credential/own/agent.p12").write_bytes(content)

    def start(self, secret: bytes) -> bytes:
        """Start the pod with this Secret; return the credential that the agent gets."""
        (self.root / "identity").mkdir(exist_ok=True)
        (self.root / "identity/agent.p12").write_bytes(secret)
        places = r"(?<![\w/.])/(?=(credential|identity|inbox|state)/)"
        subprocess.run(["sh", "-c", re.sub(places, f"{self.root}/", self.script)], check=True)
        return self.credential


@pytest.fixture
def pod(host: Scene, tmp_path: Path) -> Pod:
    (container,) = (each for each in pod_of(host)[0]["initContainers"] if each["name"] == "identity")
    (tmp_path / "pod").mkdir()
    return Pod(container["command"][-1], tmp_path / "pod")


def test_renewed_credential_stays_until_the_secret_is_replaced(pod: Pod) -> None:
    assert pod.start(b"first") == b"first"
    pod.renew(b"renewed")
    assert pod.start(b"first") == b"renewed"
    assert pod.start(b"of another identity") == b"of another identity"
    pod.renew(b"renewed again")
    assert pod.start(b"of another identity") == b"renewed again"


def test_volume_of_an_earlier_release_keeps_its_credential(pod: Pod) -> None:
    """The credential may have been renewed, and the one in the Secret may have expired."""
    (pod.root / "credential/own").mkdir(parents=True)
    pod.renew(b"renewed")
    assert pod.start(b"first") == b"renewed"
    assert pod.start(b"of another identity") == b"of another identity"


def test_agent_health_does_not_affect_pod_readiness(host: Scene) -> None:
    _, server, agent = pod_of(host)
    assert ("readinessProbe" in server, "readinessProbe" in agent) == (True, False)
    assert "livenessProbe" in agent


def test_a_changed_configuration_starts_the_pod_again(host: Scene) -> None:
    def digest() -> object:
        (deployment,) = documents(host)["Deployment"]
        return deployment["spec"]["template"]["metadata"]["annotations"]

    before = digest()
    assert digest() == before
    host.write(paths.OIDC_JSON, '{"a": 1}\n')
    assert digest() != before


def test_secrets_are_placeholders_that_are_named(host: Scene) -> None:
    result = rendered(host, "kubernetes")
    found = secrets(host)
    assert found["mstunnel-certificate"]["tls.key"] == f"<content of {paths.ACTIVE}/key.pem>"
    values = {value for data in found.values() for value in data.values()}
    assert values == {*result.data["placeholders"]} - {"<addresses of the nodes>"}
    assert [notice.code for notice in result.warnings] == ["placeholders-left"]


def test_manifest_holds_public_files_and_names_missing_ones(host: Scene) -> None:
    (found,) = documents(host)["ConfigMap"]
    assert found["data"]["ca-trust__tenant-ca.crt"] == "a root\n"
    assert "tcp-port = 8443" in found["data"]["ocserv.conf"]
    host.files.remove(paths.OIDC_JSON)
    (found,) = documents(host)["ConfigMap"]
    assert found["data"]["oidc.json"] == f"<content of {paths.OIDC_JSON}>\n"
    assert f"<content of {paths.OIDC_JSON}>" in rendered(host, "kubernetes").data["placeholders"]


def test_host_addresses_are_not_used_as_node_addresses(host: Scene) -> None:
    host.write(paths.HOST_ADDRESSES, "192.0.2.1\n")
    (found,) = documents(host)["ConfigMap"]
    assert found["data"]["host-addresses"] == "<addresses of the nodes>\n"


@pytest.mark.parametrize(("port", "published"), [(None, 8443), (444, 444)])
def test_the_port_is_the_one_in_use_unless_another_is_given(
    host: Scene, port: int | None, published: int
) -> None:
    text = text_of(host, "quadlet", "mstunnel-server.container", port)
    assert f"PublishPort={published}:{published}/tcp" in text


@pytest.mark.parametrize("wanted", ["kubernetes", "helm"])
def test_in_a_pod_the_gateway_listens_on_the_port_that_is_given(host: Scene, wanted: Format) -> None:
    name = {"kubernetes": "mstunnel.yaml", "helm": "values.yaml"}[wanted]
    text = text_of(host, wanted, name, 444)
    assert "tcp-port = 444\n" in text
    assert "udp-port = 444\n" in text
    assert "8443" not in text


def test_secrets_are_created_in_the_namespace_of_the_gateway(host: Scene) -> None:
    lines = text_of(host, "kubernetes", "mstunnel.yaml").splitlines()
    commands = [line for line in lines if "create secret" in line]
    assert len(commands) == 3
    assert all("kubectl --namespace NAMESPACE create secret " in command for command in commands)


def test_files_are_written_once_and_again_only_when_they_differ(
    host: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Files, "given", property(lambda _files: host.files))
    directory = Path("/root/gw1")
    first = rendered(host, "quadlet", directory)
    assert (first.status, host.files.names(str(directory))) == (
        "changed",
        ["mstunnel-agent.container", "mstunnel-server.container"],
    )
    assert "texts" not in first.data
    assert rendered(host, "quadlet", directory).status == "unchanged"
    assert lines_of(rendered(host, "quadlet", directory, port=444)) == [
        f"Written: {directory}/mstunnel-server.container."
    ]


def test_images_that_are_not_known_are_refused_by_name(host: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    host.prompter.interactive = False
    monkeypatch.setattr(render, "open_run", lambda *_given, **_more: nullcontext(host.opened()))
    with refused(UsageError, "answers-missing"):
        render.render(operator_of(host.root), {}, RenderRequest("quadlet"))
