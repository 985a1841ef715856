"""Step `proxy`: SELinux is asked to allow a proxy's port only where it is enforcing."""

from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.install.steps import proxy
from mstunnel_setup.io.files import Files
from tests.unit.install.scenes import Scene
from tests.unit.readiness.test_read_programs import FakeProcesses, said

LABELLED = FakeProcesses({"semanage port -l": said("http_port_t   tcp   80, 443, 8008\n")})
ENFORCE = "/sys/fs/selinux/enforce"


@pytest.mark.parametrize(("enforce", "ports"), [("1", (3129,)), ("1\n", (3129,)), ("0", ()), (None, ())])
def test_a_port_is_labelled_only_where_selinux_is_enforcing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enforce: str | None, ports: tuple[int, ...]
) -> None:
    scene = Scene(tmp_path, processes=LABELLED)
    if enforce is not None:
        scene.write(ENFORCE, enforce)
    scene.prompter.interactive = False
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3129")  # the step adopts it
    monkeypatch.setattr(Files, "live", True)
    scene.write(paths.ENVIRONMENT, "https_proxy=http://proxy.example:3129\n")
    context = scene.context()
    assert proxy.STEP.gather(context).unlabelled == ports


def test_a_person_may_keep_selinux_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(tmp_path, processes=LABELLED)
    scene.write(ENFORCE, "1")
    scene.prompter.typed = ["no"]
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3129")  # the step adopts it
    monkeypatch.setattr(Files, "live", True)
    scene.write(paths.ENVIRONMENT, "https_proxy=http://proxy.example:3129\n")
    context = scene.context()
    assert proxy.STEP.gather(context).unlabelled == ()
    assert "3129" in scene.prompter.asked[-1]
