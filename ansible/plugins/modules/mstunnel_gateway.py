#!/usr/bin/python
"""Installs or removes a Microsoft Tunnel gateway by running mstunnel-setup."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mstunnel_gateway
short_description: Install or remove a Microsoft Tunnel gateway
description:
  - Runs C(mstunnel-setup) on the server, unattended, with the answers of the task.
  - A complete installation is left as it is; one that stopped is continued.
  - A run that has to wait for the administrator (exit code 11), for example for the certificate, is not a
    failure. The module returns RV(waiting=true) and what it waits for; run the play again afterwards.
  - An uninstallation that waits, for example for a permission in the tenant, is not finished.
version_added: 0.1.0
author: The mstunnel-setup authors (!UNKNOWN)
requirements: [root, "the program C(mstunnel-setup) on the server"]
attributes:
  check_mode:
    description: Reports what C(mstunnel-setup plan) would change, and changes nothing.
    support: full
  diff_mode:
    description: Shows the plan as C(mstunnel-setup plan) prints it.
    support: full
options:
  state:
    description: Whether the server has a gateway.
    type: str
    choices: [present, absent]
    default: present
  answers:
    description:
      - The answer file as data. It holds references to secrets (V(file:PATH), V(env:NAME)), never secrets.
      - Required to install. A removal uses the answers of the installation; those given here take
        precedence.
    type: dict
    default: {}
  secrets:
    description:
      - Secrets for the run, as variables of its environment; answers refer to them as V(env:NAME).
      - Each is a string. Numbers need quotes.
      - They appear on no command line and in no file of the server.
    type: dict
    default: {}
  skip:
    description: Steps to skip.
    type: list
    elements: str
    default: []
  ignore_checks:
    description: Checks of the host whose failure is accepted, by their ids.
    type: list
    elements: str
    default: []
  keep_data:
    description: With O(state=absent), keep settings, certificate and roots in C(/etc/mstunnel).
    type: bool
    default: false
  offline:
    description: With O(state=absent), leave the tenant as it is. The record of the server stays there.
    type: bool
    default: false
  directory:
    description:
      - Directory of the program on the server. By default, where an installation puts it.
      - With O(state=absent) it is used if an installation or an uninstallation stopped halfway, and the
        program is not where an installation puts it.
    type: path
"""

EXAMPLES = r"""
- name: Install the gateway
  mstunnel.gateway.mstunnel_gateway:
    directory: /opt/mstunnel-setup
    answers:
      version: 1
      eula: accept
      site: Berlin
      sign_in:
        method: client-secret
        client_id: 11111111-2222-3333-4444-555555555555
        client_secret: env:MSTUNNEL_SECRET
      certificate:
        chain: /opt/mstunnel-setup/chain.pem
        key: /opt/mstunnel-setup/key.pem
    secrets:
      MSTUNNEL_SECRET: "{{ vault_mstunnel_secret }}"
  register: gateway

- name: Remove it from the server and from the tenant
  mstunnel.gateway.mstunnel_gateway:
    state: absent
    secrets:
      MSTUNNEL_SECRET: "{{ vault_mstunnel_secret }}"
"""

RETURN = r"""
waiting:
  description: Whether the run stopped to wait for the administrator; RV(msg) has the reason.
  returned: success
  type: bool
msg:
  description: What the run waits for, or why it failed.
  returned: when waiting or failed
  type: str
exit_code:
  description: Exit code of the program.
  returned: when the program ran
  type: int
envelope:
  description: The JSON envelope of the program; C(data), C(warnings) and C(errors) among others.
  returned: when the program ran
  type: dict
"""

import json
import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mstunnel.gateway.plugins.module_utils import program

RECEIPT = "/var/lib/mstunnel/receipt.json"


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "answers": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "skip": {"type": "list", "elements": "str", "default": []},
            "ignore_checks": {"type": "list", "elements": "str", "default": []},
            "keep_data": {"type": "bool", "default": False},
            "offline": {"type": "bool", "default": False},
            "directory": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if os.geteuid() != 0:
        module.fail_json(msg="The module needs root on the server. Set `become: true`.")
    refuse_what_is_no_text(module)
    if module.params["state"] == "present":
        module.exit_json(**installed(module))
    module.exit_json(**removed(module))


def refuse_what_is_no_text(module: AnsibleModule) -> None:
    """End the module for secrets such as 0123, which YAML takes for the number 83."""
    wrong = [name for name, value in module.params["secrets"].items() if not isinstance(value, str)]
    if wrong:
        module.fail_json(msg=f"secrets: the value of {', '.join(wrong)} is not text. Put it in quotes.")


def installed(module: AnsibleModule) -> dict[str, t.Any]:
    """The result of an installation, or of its plan in check mode."""
    setup = program.find(module, "mstunnel-setup", module.params["directory"])
    if setup is None:
        module.fail_json(msg="mstunnel-setup is not on the server. Copy it there, and name its directory.")
    given = [
        *(f"--skip={step}" for step in module.params["skip"]),
        *(f"--ignore-check={check}" for check in module.params["ignore_checks"]),
        *answer_options(module),
    ]
    diff = {}
    if module.check_mode or module._diff:
        planned = run(module, [setup, "plan", *given])
        diff = {"diff": {"prepared": "\n".join([*planned.data.get("diff", []), ""])}}
        if module.check_mode:
            return {**result(planned), **diff}
    return {**changing(module, [setup, *given]), **diff}


def removed(module: AnsibleModule) -> dict[str, t.Any]:
    """The result of an uninstallation."""
    path = program.find(module, "mst-cli") or copied_cli(module)
    if path is None or "not-installed" in program.run(module, [path, "status"]).codes():
        return {"changed": False, "waiting": False}
    diff = {"before": "gateway: present\n", "after": "gateway: absent\n"}
    if module.check_mode:
        return {"changed": True, "waiting": False, "diff": diff}
    options = [name for name in ("keep_data", "offline") if module.params[name]]
    given = [f"--{name.replace('_', '-')}" for name in options]
    if module.params["answers"]:
        given += answer_options(module)
    done = changing(module, [path, "uninstall", "--yes", *given])
    return done if done["waiting"] else {**done, "diff": diff}


def copied_cli(module: AnsibleModule) -> str | None:
    """Path of `mst-cli` where it is not in place: an installation or an uninstallation stopped half way.

    The self-contained program in `directory` is each of them; the name that it is called by decides.
    """
    setup = os.path.join(module.params["directory"] or "", "mstunnel-setup")
    if not os.path.isabs(setup) or not os.path.isfile(setup):
        return None
    link = os.path.join(module.tmpdir, "mst-cli")
    os.symlink(setup, link)
    return link


def changing(module: AnsibleModule, argv: list[str]) -> dict[str, t.Any]:
    """What the task returns of a run; one that waits may have done something before."""
    before = receipt(module)
    answer = run(module, argv)
    return {**result(answer), "changed": answer.changed or receipt(module) != before}


def receipt(module: AnsibleModule) -> str | None:
    """Digest of what is installed; None where nothing is."""
    return module.sha256(RECEIPT) if os.path.exists(RECEIPT) else None


def run(module: AnsibleModule, argv: list[str]) -> program.Answer:
    """Run the program with the secrets of the task; ends the module where it fails."""
    answer = program.run(module, argv, module.params["secrets"])
    if answer.exit_code not in (program.DONE, program.WAITING):
        program.fail(module, answer)
    return answer


def answer_options(module: AnsibleModule) -> list[str]:
    """The option that names a file with the answers; it is removed when the module ends."""
    # The service account of a rootless gateway has to read it; there are no secrets in it.
    handle, path = tempfile.mkstemp(prefix="mstunnel-answers-", suffix=".yaml", dir="/run")
    module.add_cleanup_file(path)
    with os.fdopen(handle, "w") as file:
        os.fchmod(handle, 0o644)
        # JSON is YAML too.
        json.dump(module.params["answers"], file, indent=2)
    return ["--answers", path]


def result(answer: program.Answer) -> dict[str, t.Any]:
    """What the task returns of a run that ended well or waits."""
    # The plan of a check has every file twice; the diff of the task shows it.
    data = {key: value for key, value in answer.data.items() if key not in ("plan", "diff")}
    waiting = answer.exit_code == program.WAITING
    return {
        "changed": answer.changed,
        "waiting": waiting,
        "exit_code": answer.exit_code,
        "envelope": {**answer.envelope, "data": data},
        **({"msg": answer.errors()} if waiting else {}),
    }


if __name__ == "__main__":
    main()
