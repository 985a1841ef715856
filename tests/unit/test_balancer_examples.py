"""The examples of balancers: the program that each one is for accepts it, without a warning."""

import subprocess
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "contrib/balancer"
# nginx opens its ports for a test, nft asks the kernel: both get a network of their own.
_APART = ("unshare", "--map-root-user", "--net")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("nginx.conf", (*_APART, "nginx", "-q", "-t", "-e", "stderr", "-g", "pid /dev/null;", "-c")),
        ("haproxy.cfg", ("haproxy", "-q", "-c", "-f")),
        ("keepalived.conf", ("keepalived", "--config-test", "--use-file")),
        ("keepalived.nft", (*_APART, "nft", "--check", "--file")),
    ],
)
def test_its_program_accepts_it(name: str, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*command, str(EXAMPLES / name)], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_example_is_checked_and_described() -> None:
    described = (EXAMPLES / "README.md").read_text()
    names = {path.name for path in EXAMPLES.iterdir()} - {"README.md"}
    assert names == {"nginx.conf", "haproxy.cfg", "keepalived.conf", "keepalived.nft"}
    assert {name for name in names if f"`{name}`" not in described} == set()
