"""Runs a program of mstunnel-setup and reads the JSON envelope that it prints."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

DONE = 0
WAITING = 11


@dataclass(frozen=True)
class Answer:
    """What a program answered: its exit code and its envelope."""

    exit_code: int
    envelope: dict[str, t.Any]

    @property
    def data(self) -> dict[str, t.Any]:
        """The data of the command."""
        return dict(self.envelope["data"])

    @property
    def changed(self) -> bool:
        """Whether the command changed the host, or would change it."""
        return bool(self.envelope["status"] == "changed")

    def codes(self) -> set[str]:
        """The codes of its errors."""
        return {error["code"] for error in self.envelope["errors"]}

    def errors(self) -> str:
        """Its errors in one text: what happened, what to do, and the code to look up."""
        return "\n".join(_worded(error) for error in self.envelope["errors"])


def find(module: AnsibleModule, name: str, directory: str | None = None) -> str | None:
    """Path of a program: in `directory` where that is given, else where an installation puts it."""
    if directory:
        return f"{directory}/{name}"
    found: str | None = module.get_bin_path(name, opt_dirs=["/usr/sbin", "/usr/bin"])
    return found


def run(module: AnsibleModule, argv: list[str], secrets: dict[str, str] | None = None) -> Answer:
    """Run a program unattended; its warnings become those of the module.

    `secrets` are variables of its environment. Ends the module where it prints no envelope, as after a crash.
    """
    command = [*argv, "--unattended", "--output", "json"]
    code, output, errors = module.run_command(
        command, environ_update=secrets or {}, expand_user_and_vars=False
    )
    try:
        envelope = json.loads(output)
        answer = Answer(
            code, {key: envelope[key] for key in ("command", "status", "data", "warnings", "errors")}
        )
    except (ValueError, KeyError):
        module.fail_json(msg=f"{argv[0]} exited with {code} and printed no result:\n{errors[-2000:]}")
    for warning in answer.envelope["warnings"]:
        module.warn(_worded(warning))
    return answer


def fail(module: AnsibleModule, answer: Answer, **more: t.Any) -> t.NoReturn:
    """End the module as failed, with the errors of the program."""
    module.fail_json(msg=answer.errors(), exit_code=answer.exit_code, envelope=answer.envelope, **more)
    raise AssertionError


def _worded(notice: dict[str, str]) -> str:
    return f"{notice['message']} {notice['hint']}".strip() + f" ({notice['code']})"
