"""Write the workload of the Helm chart (`python -m scripts.bundle.helm_chart`).

The text is that of `mstunnel-setup render kubernetes`, with values of the chart in place of a host's.
"""

import re
from pathlib import Path
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.containers import manifests
from mstunnel_setup.install import our_containers

PLACE: Final = Path(__file__).parents[2] / "contrib/helm/mstunnel/templates/gateway.yaml"
_KINDS: Final = re.compile(r"^kind: (PersistentVolumeClaim|Service|Deployment)$", re.MULTILINE)
_PORT: Final = 64443
_SERVER_IMAGE: Final = f"example.org/server@sha256:{'1' * 64}"
_AGENT_IMAGE: Final = f"example.org/agent@sha256:{'2' * 64}"
# What an access log needs.
_COUNTING: Final = re.compile(r"(?: {10}- name: net\.netfilter\.\S+\n {12}value: .*\n)+")
# Objects, and where one names another; containers and volumes, in quotes, keep their names.
_NAMES: Final = re.compile(r"^( +)(name|secretName|claimName): mstunnel(-\w+)?$", re.MULTILINE)
_LABEL: Final = re.compile(r"^( +)app\.kubernetes\.io/name: mstunnel$", re.MULTILINE)
_VALUES: Final = {
    f'"{_SERVER_IMAGE}"': '{{ required "images.server is missing" .Values.images.server | quote }}',
    f'"{_AGENT_IMAGE}"': '{{ required "images.agent is missing" .Values.images.agent | quote }}',
    str(_PORT): "{{ .Values.port }}",
    "  type: LoadBalancer\n": "  type: {{ .Values.service.type }}\n",
}


def _resources(container: str) -> str:
    """What containers ask for, or may have at most."""
    return f"""\
{{{{- with .Values.resources.{container} }}}}
          resources:
            {{{{- toYaml . | nindent 12 }}}}
{{{{- end }}}}
"""


_AFTER: Final = {
    "kind: Service\nmetadata:\n  name: mstunnel\n": """\
{{- with .Values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
{{- end }}
""",
    "  accessModes: [ReadWriteOnce]\n": """\
{{- with .Values.storageClassName }}
  storageClassName: {{ . | quote }}
{{- end }}
""",
    "      enableServiceLinks: false\n": """\
{{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
{{- end }}
{{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
{{- end }}
{{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
{{- end }}
""",
    '        - name: "mstunnel-server"\n': _resources("server"),
    '        - name: "mstunnel-agent"\n': _resources("agent"),
    "        - name: layout\n": _resources("server"),
    " of this Secret.\n        - name: identity\n": _resources("server"),
}


def workload() -> str:
    """The text of the template: claim, Service and Deployment."""
    setting = our_containers.ContainerHost(
        configuration=paths.CONFIGURATION,
        server_state=paths.SERVER_STATE,
        agent_state=paths.AGENT_STATE,
        environment=b"",
        limits_processes=False,
        traced=True,
    )
    server = our_containers.server(_SERVER_IMAGE, setting, _PORT)
    agent = our_containers.agent(_AGENT_IMAGE, setting)
    documents = manifests.manifest(server, agent, ()).split("---\n")
    text = "---\n".join(document for document in documents if _KINDS.search(document))
    text = re.sub('"[0-9a-f]{64}"', "{{ toJson .Values | sha256sum | quote }}", text)
    counting = "".join(_COUNTING.findall(text))
    text = _replaced(text, counting, f"{{{{- if .Values.accessLog }}}}\n{counting}{{{{- end }}}}\n")
    for ours, more in _AFTER.items():
        text = _replaced(text, ours, ours + more)
    for ours, value in _VALUES.items():
        text = _replaced(text, ours, value)
    text = _NAMES.sub(r'\1\2: {{ include "mstunnel.name" . }}\3', text)
    text = _LABEL.sub(r"\g<0>\n\1app.kubernetes.io/instance: {{ .Release.Name | quote }}", text)
    return f"{{{{/* Written by `python -m scripts.bundle.helm_chart`; do not edit. */ -}}}}\n{text}"


def _replaced(text: str, old: str, new: str) -> str:
    if not old or old not in text:
        raise ValueError(f"the manifest has no {old!r} any more")
    return text.replace(old, new)


if __name__ == "__main__":
    PLACE.write_text(workload())
