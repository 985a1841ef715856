"""The generated file about logs, read by logrotate."""

import grp
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.rendering import render
from mstunnel_setup.install.steps.program import RotatedLog
from mstunnel_setup.io.accounts import own_name
from tests.unit.hostile import HOSTILE

# logrotate reads what it finds in quotes as a pattern.
PATTERN = dict.fromkeys(map(ord, '"\\*?[]{}'))


def check_logrotate(tmp_path: Path) -> None:
    """logrotate(8) rotates what the file names; a directory of another name it leaves alone."""
    rotated = RotatedLog(f"{tmp_path}/{HOSTILE.translate(PATTERN)}")
    place = Path(rotated.directory)
    place.mkdir(parents=True)
    (place / "setup.log").write_text("{}\n")
    me = {"user": own_name(), "group": grp.getgrgid(os.getegid()).gr_name}
    (tmp_path / "rules").write_text(render("logrotate/mstunnel", logs=[replace(rotated, **me)]))
    (tmp_path / "rules").chmod(0o644)
    command = ["logrotate", "--force", f"--state={tmp_path}/state", str(tmp_path / "rules")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in place.iterdir()] == ["setup.log.1"]
    with pytest.raises(StepError):
        render("logrotate/mstunnel", logs=[RotatedLog("/var/log/*")])
