"""The host of a rootless gateway: the journal of root, and the hand-over to the account."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.unit.install.scenes import Scene
from tests.unit.operators import operator_of

ACCOUNT = "nobody"


class HandedOverError(Exception):
    """Raised where the command would continue as this account in another process."""


class HandsOver(Processes):
    """Processes that raise HandedOverError instead of starting one as an account."""

    def become(self, account: Account, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
        raise HandedOverError(account.name)


def end_step(root: Path, state: str, name: str, account: str = "") -> None:
    """Record a completed step in the journal below `state`, with the account of a rootless gateway."""
    scene = Scene(root)
    journal = Journal(scene.files, scene.clock, state)
    runner = Runner(scene.opened().host, journal, CODEC, scene.clock, lambda _event: None)
    stored = StoreAnswer(name="account", value=account)
    runner.run([Step(name, name, lambda _run: None, lambda _facts: [stored])], None)


def root_beside_account(root: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator for root on the host below `root` where ACCOUNT runs the gateway."""
    end_step(root, paths.HOST_STATE, "boot", ACCOUNT)
    monkeypatch.setattr(paths, "ROOTLESS", False)
    monkeypatch.setattr(Files, "live", True)
    return operator_of(root, processes=HandsOver())
