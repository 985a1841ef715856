"""Kubernetes manifests, as a parser of YAML reads them back."""

from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML

from mstunnel_setup.base import paths
from mstunnel_setup.containers import manifests
from mstunnel_setup.containers.container_spec import Port, Tmpfs
from tests.unit.hostile import HOSTILE, SPEC


def check_kubernetes(_tmp_path: Path) -> None:
    host = replace(SPEC, volumes=(), devices=("/dev/net/tun",), tmpfs=(Tmpfs(path="/run"),))
    content = f"first\n  {HOSTILE}\n\n# no comment\n"
    file = manifests.ConfigurationFile(paths.OCSERV_CONF, content)
    text = manifests.manifest(host, replace(host, name="agent", devices=()), [file])
    documents = {each["kind"]: each for each in YAML(typ="safe").load_all(text)}
    assert documents["ConfigMap"]["data"] == {"ocserv.conf": content}
    (server, _agent) = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert server["livenessProbe"]["exec"]["command"] == [*SPEC.health.command]  # type: ignore[union-attr]


def check_values(_tmp_path: Path) -> None:
    host = replace(SPEC, ports=(Port(host=443, container=443, protocol="tcp"),))
    content = f"first\n  {HOSTILE}\n\n# no comment\n"
    text = manifests.helm_values(host, SPEC, [manifests.ConfigurationFile(paths.OCSERV_CONF, content)])
    found = YAML(typ="safe").load(text)
    assert found["configuration"] == {"ocserv.conf": content}
    assert (found["images"]["server"], found["port"]) == (SPEC.image, 443)
