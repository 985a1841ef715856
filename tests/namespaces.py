"""Machines of a network of their own: network namespaces, which need no rights on the host."""

import subprocess
from contextlib import ExitStack

_SERVER = """
import socket, socketserver, sys, threading
class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"reached")
class Server(socketserver.ThreadingTCPServer):
    address_family, allow_reuse_address = socketserver.socket.AF_INET6, True
for port in map(int, sys.argv[1:]):
    threading.Thread(target=Server(("::", port), Answer).serve_forever).start()
print("up", flush=True)
"""
_CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])) as made:
        print(made.recv(99).decode())
except OSError as error:
    print(error)
"""


class Namespaces:
    """Machines that the shell script `topology` makes. It prints `up` and stays until its input ends."""

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

    def serve(self, machine: str, *ports: int) -> None:
        """Answer `reached` to every TCP connection to these ports of a machine."""
        self.start(machine, "python3", "-c", _SERVER, *map(str, ports))

    def connect(self, source: str, target: str, port: int, *, timeout: float = 1) -> str:
        """Return `reached`, or why a TCP connection from `source` to a port of `target` failed."""
        return self.run(source, "python3", "-c", _CLIENT, target, str(port), str(timeout)).strip()

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
