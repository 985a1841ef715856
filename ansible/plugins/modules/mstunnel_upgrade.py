#!/usr/bin/python
"""Upgrades a Microsoft Tunnel gateway to a release of its catalogue."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mstunnel_upgrade
short_description: Upgrade a Microsoft Tunnel gateway
description:
  - Runs C(mst-cli upgrade apply) on the server. If the new release fails its test, the earlier one is
    restored and the task fails.
  - A server that already runs the release is left as it is.
version_added: 0.1.0
author: The mstunnel-setup authors (!UNKNOWN)
requirements: [root]
attributes:
  check_mode:
    description: Reports whether C(mst-cli upgrade check) lists a release that is not running.
    details: It does not check whether the server knows O(release). A real run refuses an unknown one.
    support: partial
  diff_mode:
    description: Shows the releases before and after.
    support: full
options:
  release:
    description: Name of the release; by default the newest that the server knows.
    type: str
  drain:
    description:
      - Minutes to wait, at most, for sessions to end. New connections are refused meanwhile.
      - The default is set in C(releases.toml) on the server.
    type: int
"""

EXAMPLES = r"""
- name: Upgrade to the newest release, and let devices leave for 10 minutes
  mstunnel.gateway.mstunnel_upgrade:
    drain: 10

- name: Install one release
  mstunnel.gateway.mstunnel_upgrade:
    release: "20261126.1"
"""

RETURN = r"""
msg:
  description: Why the upgrade failed.
  returned: failure
  type: str
exit_code:
  description: Exit code of the program.
  returned: when the program ran
  type: int
envelope:
  description: The JSON envelope of C(mst-cli upgrade apply), in check mode of C(mst-cli upgrade check).
  returned: when the program ran
  type: dict
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.mstunnel.gateway.plugins.module_utils import program


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"release": {"type": "str"}, "drain": {"type": "int"}}, supports_check_mode=True
    )
    path = program.find(module, "mst-cli")
    if path is None:
        module.fail_json(msg="No gateway is installed on the server. Install it first (mstunnel_gateway).")
    checked = run(module, [path, "upgrade", "check"])
    if module.check_mode:
        pending = checked.data["upgrade_available"]
        if module.params["release"]:
            pending = module.params["release"] not in checked.data["running"]
        module.exit_json(**result(module, checked, checked), changed=pending)
    applied = run(module, [path, "upgrade", "apply", *given(module)])
    module.exit_json(**result(module, checked, applied), changed=applied.changed)


def run(module: AnsibleModule, argv: list[str]) -> program.Answer:
    """Run the program; ends the module where it fails."""
    answer = program.run(module, argv)
    if answer.exit_code != program.DONE:
        # A failed upgrade has switched the images there and back.
        program.fail(module, answer, changed="upgrade-failed" in answer.codes())
    return answer


def given(module: AnsibleModule) -> list[str]:
    """Options and arguments of `upgrade apply`."""
    drain, release = module.params["drain"], module.params["release"]
    return [*([] if drain is None else [f"--drain={drain}"]), *([release] if release else [])]


def result(module: AnsibleModule, checked: program.Answer, answer: program.Answer) -> dict[str, t.Any]:
    """What the task returns."""
    running = ", ".join(checked.data["running"])
    after = module.params["release"] or checked.data["newest"] or running
    diff = {"before": f"release: {running}\n", "after": f"release: {after}\n"}
    return {"exit_code": answer.exit_code, "envelope": answer.envelope, "diff": diff}


if __name__ == "__main__":
    main()
