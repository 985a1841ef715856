#!/usr/bin/python
"""Returns facts about a Microsoft Tunnel gateway, as its own commands report them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mstunnel_facts
short_description: Facts about a Microsoft Tunnel gateway
description:
  - Runs commands of C(mst-cli) on the server and returns their JSON envelopes as facts.
  - An unhealthy gateway, or a server without one, is a fact and not a failure. A user who may not see the
    gateway is a failure.
version_added: 0.1.0
author: The mstunnel-setup authors (!UNKNOWN)
requirements: [root]
attributes:
  check_mode:
    description: Changes nothing.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
  facts:
    description: Returns C(ansible_facts).
    support: full
options:
  gather:
    description:
      - Facts to return.
      - V(certificate) is C(mst-cli cert show), V(upgrade) is C(mst-cli upgrade check); the others are
        commands of the same name.
    type: list
    elements: str
    choices: [certificate, health, status, upgrade, version]
    default: [status, upgrade]
"""

EXAMPLES = r"""
- name: Look at the gateway
  mstunnel.gateway.mstunnel_facts:

- name: Fail where it does not serve
  ansible.builtin.assert:
    that: ansible_facts.mstunnel.serving
    fail_msg: "{{ ansible_facts.mstunnel.status.errors | default([]) }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts about the gateway.
  returned: always
  type: dict
  contains:
    mstunnel:
      description: Everything, also as the variable C(mstunnel) where Ansible injects facts.
      returned: always
      type: dict
      contains:
        installed:
          description: Whether a gateway is installed, completely or in part.
          returned: always
          type: bool
        serving:
          description: Whether C(mst-cli status) reports both containers healthy and the site served.
          returned: always
          type: bool
        status:
          description: Envelope of C(mst-cli status); the same for each other name in O(gather).
          returned: when installed and requested
          type: dict
          sample: {command: mst-cli status, status: ok, data: {site: Berlin}, warnings: [], errors: []}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mstunnel.gateway.plugins.module_utils import program

COMMANDS = {
    "certificate": ["cert", "show"],
    "health": ["health"],
    "status": ["status"],
    "upgrade": ["upgrade", "check"],
    "version": ["version"],
}


def main() -> None:
    """Run the module."""
    choices, default = sorted(COMMANDS), ["status", "upgrade"]
    gather = {"type": "list", "elements": "str", "choices": choices, "default": default}
    module = AnsibleModule(argument_spec={"gather": gather}, supports_check_mode=True)
    module.exit_json(changed=False, ansible_facts={"mstunnel": facts(module, module.params["gather"])})


def facts(module: AnsibleModule, gather: list[str]) -> dict[str, object]:
    """The facts, with an envelope for each name in `gather`."""
    path = program.find(module, "mst-cli")
    status = program.run(module, [path, "status"]) if path else None
    if path is None or status is None or "not-installed" in status.codes():
        return {"installed": False, "serving": False}
    if "not-root" in status.codes():
        program.fail(module, status)
    asked = {name: program.run(module, [path, *COMMANDS[name]]) for name in gather if name != "status"}
    answers = {"status": status, **asked}
    envelopes = {name: answers[name].envelope for name in gather}
    return {"installed": True, "serving": status.exit_code == program.DONE, **envelopes}


if __name__ == "__main__":
    main()
