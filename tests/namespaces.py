"""Machines of a network of their own: network namespaces, which need no rights on the host."""

import subprocess
from contextlib import ExitStack


class Namespaces:
    """What `topology`, a shell script, makes; the script prints `up` and stays until its input ends."""

    def __init__(self, topology: str, open_processes: ExitStack) -> None:
        self._open = open_processes
        command = ("unshare", "--map-root-user", "--net", "--mount", "sh", "-c", topology)
        self._holder = self._start(*command).pid

    def start(self, machine: str, *command: str) -> "subprocess.Popen[str]":
        """Start a process in a namespace and return once it prints `up`."""
        return self._start(*self._inside(machine, *command))

    def run(self, machine: str, *command: str, stdin: str = "") -> str:
        """What the command prints in a namespace, where it has to succeed."""
        argv = self._inside(machine, *command)
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _start(self, *argv: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._open.enter_context(process)
        self._open.callback(process.kill)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    def _inside(self, machine: str, *command: str) -> tuple[str, ...]:
        enter = (f"--target={self._holder}", "--user", "--preserve-credentials", "--mount", "--net")
        return ("nsenter", *enter, "ip", "netns", "exec", machine, *command)
