"""A process that root has started as an account is refused if the account can read its memory."""

import os
import subprocess

import pytest

from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.io.hand_over import refuse_open_process
from tests.refusals import refused

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starts a process as another user")
NOBODY = 65534


def test_process_that_the_account_can_read_is_refused() -> None:
    with subprocess.Popen(["sleep", "60"], user=NOBODY, cwd="/") as process:
        try:
            with refused(CheckError, "account-process-open", "of account gateway can read"):
                refuse_open_process(process.pid, "gateway")
        finally:
            process.kill()


def test_process_that_has_ended_is_not_refused() -> None:
    with subprocess.Popen(["true"], user=NOBODY, cwd="/") as process:
        process.wait()
    refuse_open_process(process.pid, "gateway")
