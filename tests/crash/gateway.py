"""A server, its administrator and other users, in any order: the state machine of the crash tests."""

import json
import os
import shutil
import ssl
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mstunnel_setup.actions.firewall import CONTAINER_RULES
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.lock import exclusive
from mstunnel_setup.transaction.records import line_of
from tests.crash.arena import Arena, Ended, differences
from tests.crash.kill import KILLED, Scene
from tests.crash.tenant import CERTIFICATE_DAYS
from tests.testbed.paths import JOURNAL

Rule = TypeVar("Rule", bound=Callable[..., None])
# How an installation may end when one of its calls failed.
_AFTER_A_FAULT = {0, 2, 4, 5, 7, 8, 10, 11}
_STEPS = (
    "eula",
    "environment",
    "images",
    "certificate",
    "sign-in",
    "site",
    "register",
    "configure",
    "launch",
)
_EDITABLE = (paths.OIDC_JSON, paths.AGENT_INFO, paths.IMAGES_CONFIGURED)
_FOREIGN = ("notes", "private/notes", "certs/notes")
# What differs with answers, images, time and certificate; all else is the same after every installation.
_VARIES = (
    paths.ENVIRONMENT,
    paths.IMAGES_CONFIGURED,
    paths.VERSION_INFO,
    paths.PRIVATE,
    paths.SITE_CERTIFICATE,
    paths.AGENT_INFO,
    # The places of a proxy, which a person may write into the settings.
    "/etc/profile.d",
    "/etc/systemd",
    paths.OUTBOX,
)
_POINTS, _REMOVAL_POINTS, _RENEWAL_POINTS, _UPGRADE_POINTS = 760, 300, 170, 250


def told(function: Rule) -> Rule:
    """Keep the steps, so that a failing order can be kept as a fixture (tests/crash/orders)."""

    @wraps(function)
    def step(self: "Gateway", **arguments: Any) -> None:
        self.steps.append([function.__name__, arguments])
        Gateway.count += 1
        function(self, **arguments)

    return cast("Rule", step)


class Gateway(RuleBasedStateMachine):
    """The promises P1 to P3 and P5 hold after every step."""

    scene: Scene
    count = 0

    @initialize()
    def begin(self) -> None:
        """A fresh host, and an administrator with the usual answers."""
        self.steps: list[Any] = []
        self.scene.reset()
        self.arena: Arena = self.scene.arena
        self.arena.write_answers({})
        self.clock = 0
        self.edited: set[str] = set()
        self.foreign: set[str] = set()

    def begun(self, path: str) -> bool:
        """Whether the journal knows a file."""
        return f"file:{path}" in self.arena.receipt()["entries"]

    def saved(self, path: str) -> bool:
        """Whether the installation found a foreign file there, and will restore it."""
        entry = self.arena.receipt()["entries"].get(f"file:{path}")
        return bool(entry and entry[1]["digest"])

    def ended(self, ended: Ended) -> int:
        """Its exit code, which is never that of a bug, and comes with a reason."""
        assert ended.code != 1, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr + ended.stdout
        if ended.code > 0:
            assert ended.hint, ended.stdout
        return ended.code

    def removed(self) -> None:
        """After an uninstallation: nothing of ours is left, everything of others is."""
        theirs = self.foreign | self.edited
        lines = differences(self.scene.before, self.arena.state())
        left = [line.partition(":")[0].removeprefix("tree ") for line in lines]
        assert all(any(name.startswith(path) for name in theirs) for path in left), left
        if theirs:
            shutil.rmtree(self.arena.place(paths.CONFIGURATION), ignore_errors=True)
        self.edited.clear()
        self.foreign.clear()

    def complete(self) -> None:
        """After an installation: everything is there, and as after an undisturbed one."""
        wanted, found = self.scene.golden, self.arena.state()
        for state in (wanted, found):
            assert paths.ACTIVE in state["tree"]
        lines = differences(
            {"tree": self._comparable(wanted), "tenant": wanted["tenant"]},
            {"tree": self._comparable(found), "tenant": found["tenant"]},
        )
        assert lines == [], lines
        running = {name: item["status"] for name, item in found["engine"]["containers"].items()}
        assert running == {paths.SERVER: "running", paths.AGENT: "running"}

    def _comparable(self, state: dict[str, Any]) -> dict[str, str]:
        """The tree without what varies, what others left, and what only serves the installation."""
        hidden = [*_VARIES, *self.foreign, paths.STATE, "/var/log"]
        if "http_proxy" in self.arena.place(paths.ENVIRONMENT).read_text():
            hidden.append(CONTAINER_RULES)  # they let the containers reach the port of the proxy
        return {path: text for path, text in state["tree"].items() if not path.startswith(tuple(hidden))}

    @rule(twice=st.booleans())
    @told
    def install(self, twice: bool) -> None:
        code = self.ended(ended := self.arena.install(days_wrong=self.clock))
        if code == 0:
            self.complete()
            if twice:
                again = self.arena.install(days_wrong=self.clock)
                assert again.envelope["status"] == "unchanged", again.stdout
            return
        lost = {path for path in self.edited if path in ended.message}
        expired = not -1 < self.clock < CERTIFICATE_DAYS
        assert (code == 11 and lost) or (code == 4 and expired), ended.stdout

    @rule(point=st.integers(1, _POINTS))
    @told
    def install_killed(self, point: int) -> None:
        ended = self.arena.install(kill_at=point, days_wrong=self.clock)
        assert ended.code in {KILLED, 0, 4, 11}, ended.stdout

    @rule(at=st.integers(1, 1400), number=st.sampled_from([28, 5, 13, 30]))
    @told
    def install_with_a_fault(self, at: int, number: int) -> None:
        fault = {"port": "files", "at": at, "what": str(number)}
        code = self.ended(ended := self.arena.install(fault=fault, days_wrong=self.clock))
        assert code in _AFTER_A_FAULT, (os.strerror(number), ended.stdout)

    @rule(name=st.sampled_from(_STEPS))
    @told
    def install_without_a_step(self, name: str) -> None:
        code = self.ended(ended := self.arena.install("--skip", name, days_wrong=self.clock))
        assert code in _AFTER_A_FAULT | {6}, ended.stdout

    @rule()
    @told
    def uninstall(self) -> None:
        code = self.ended(ended := self.arena.uninstall(days_wrong=self.clock))
        assert code == 0, ended.stdout
        self.removed()

    @rule(point=st.integers(1, _REMOVAL_POINTS))
    @told
    def uninstall_killed(self, point: int) -> None:
        merged = self.begun(paths.ENVIRONMENT) and not self._edited_since_merged()
        ended = self.arena.uninstall(kill_at=point, days_wrong=self.clock)
        assert ended.code in {KILLED, 0}, ended.stdout
        if merged:  # with the settings of others in it, the file is ours, and goes
            self.edited.discard(paths.ENVIRONMENT)
        if ended.code == 0:
            self.removed()

    def _edited_since_merged(self) -> bool:
        """Whether the settings were changed since a run wrote them with the changes of before."""
        version = self.arena.receipt()["entries"][f"file:{paths.ENVIRONMENT}"][2][-1]
        place = self.arena.place(paths.ENVIRONMENT)
        return place.exists() and bool(place.read_text() != version["text"])

    @rule(command=st.sampled_from(["install", "uninstall", "roll_back", "renew"]))
    @told
    def two_runs_at_once(self, command: str) -> None:
        """P6: the second names the active run, and changes nothing."""
        with exclusive(Files(self.arena.root), Clock(), paths.LOCK):
            before = self.arena.state()
            ended = getattr(self.arena, command)(days_wrong=self.clock)
            assert differences(before, self.arena.state()) == []
        assert self.ended(ended) == ExitCode.LOCKED, ended.stdout
        assert f"process {os.getpid()}, since" in ended.message

    @rule(point=st.one_of(st.none(), st.integers(1, _UPGRADE_POINTS)))
    @told
    def upgrade(self, point: int | None) -> None:
        """Cut off anywhere, the monitor brings it to its end."""
        ended = self.arena.run("mst-cli", "upgrade", "apply", kill_at=point, days_wrong=self.clock)
        if ended.code == KILLED:
            self.arena.monitor(days_wrong=self.clock).checked()
        else:
            assert self.ended(ended) in _AFTER_A_FAULT, ended.stdout

    @rule()
    @told
    def roll_back(self) -> None:
        done = "verify" in self.arena.receipt()["steps"]
        code = self.ended(ended := self.arena.roll_back(days_wrong=self.clock))
        assert code == 0 or (done and ended.error == "installation-finished"), ended.stdout
        if code == 0:
            self.removed()

    @rule(point=st.one_of(st.none(), st.integers(1, _RENEWAL_POINTS)))
    @told
    def renew_the_certificate(self, point: int | None) -> None:
        ended = self.arena.renew(kill_at=point, days_wrong=self.clock)
        if ended.code != KILLED:
            # 3: nothing is installed; 4: the clock says it is not valid, or the link is not there yet.
            assert self.ended(ended) in {0, 3, 4, 10}, ended.stdout

    @rule(point=st.one_of(st.none(), st.integers(1, _RENEWAL_POINTS)))
    @told
    def renew_the_identity(self, point: int | None) -> None:
        ended = self.arena.answered("mst-cli", "reenroll", kill_at=point, days_wrong=self.clock)
        if ended.code != KILLED:
            assert self.ended(ended) in _AFTER_A_FAULT | {6}, ended.stdout
        self._kept_aside()

    def _kept_aside(self) -> None:
        """A command that rewrites a file keeps edits of others.

        What an uninstallation had left to them, and a new installation saved, will be put back at the end.
        """
        saved = [path.read_text() for path in self.arena.place(f"{paths.STATE}/saved").glob("*")]
        changed = {path for path in self.edited if not self.saved(path)}
        replaced = {path for path in changed if "theirs" not in self.arena.place(path).read_text()}
        assert not replaced or any("theirs" in text for text in saved), replaced
        self.edited -= replaced

    @rule(value=st.sampled_from(["1", "two words", "$HOME", "'", '"', "\\", "#", "%h"]))
    @told
    def change_answers(self, value: str) -> None:
        self.arena.write_answers({"environment": {"EXTRA": value}})

    @rule(digit=st.sampled_from(["3", "4"]))
    @told
    def the_images_change(self, digit: str) -> None:
        images = {name: f"registry.crash.test/{name}@sha256:{digit * 64}" for name in ("server", "agent")}
        self.arena.write_answers({"images": images})

    @rule(days=st.sampled_from([-400, -2, 0, 0, 0, 30, 80, 200, 400]))
    @told
    def the_clock_jumps(self, days: int) -> None:
        self.clock = days

    @rule(name=st.sampled_from([paths.SERVER, paths.AGENT]))
    @told
    def somebody_removes_a_container(self, name: str) -> None:
        self.arena.daemon.answer({"do": "remove", "name": name})

    @rule(name=st.sampled_from(_FOREIGN))
    @told
    def somebody_leaves_a_file(self, name: str) -> None:
        path = self.arena.place(f"{paths.CONFIGURATION}/{name}")
        if path.parent.is_dir():
            path.write_text("mine\n")
            self.foreign.add(f"{paths.CONFIGURATION}/{name}")

    @rule(path=st.sampled_from(_EDITABLE))
    @told
    def somebody_edits_a_file(self, path: str) -> None:
        if self.arena.place(path).exists() and self.begun(path):
            self.arena.place(path).write_text('{"theirs": 1}\n')
            self.edited.add(path)

    @rule(path=st.sampled_from(_EDITABLE))
    @told
    def the_edited_file_is_moved_away(self, path: str) -> None:
        self.arena.place(path).unlink(missing_ok=True)
        self.edited.discard(path)

    @rule(name=st.sampled_from(["MINE", "http_proxy"]))
    @told
    def somebody_edits_the_settings(self, name: str) -> None:
        if self.arena.place(paths.ENVIRONMENT).exists():
            with self.arena.place(paths.ENVIRONMENT).open("a") as stream:
                stream.write(f"{name}=theirs\n")
            self.edited.add(paths.ENVIRONMENT)

    @precondition(lambda self: self.steps)
    @rule()
    @told
    def the_release_before_was_at_work(self) -> None:
        """Its journal says `write-file` for what is a `merge-file` today."""
        records = self.arena.records()
        for record in records:
            if record["type"] == "begin" and record["action"]["kind"] == "merge-file":
                record["action"]["kind"] = "write-file"
        if records:
            bare = ({name: item[name] for name in item if name != "checksum"} for item in records)
            self.arena.place(JOURNAL).write_bytes(b"".join(map(line_of, bare)))

    @invariant()
    def check_promises(self) -> None:
        """What holds after every step, however it ended."""
        # P3: readers find the old pair or the new one.
        active = self.arena.place(paths.ACTIVE)
        if active.is_symlink():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(active / "chain.pem", active / "key.pem")
        # P2: no foreign file is touched.
        for path in self.foreign:
            assert self.arena.place(path).read_text() == "mine\n"
        for path in self.edited:
            # Kept by an uninstallation, it is no file of ours any more: the next installation saves it.
            assert self.saved(path) or "theirs" in self.arena.place(path).read_text()
        # P3: no reader finds half a file.
        for path in (*_EDITABLE, paths.AGENT_SETTINGS):
            if self.arena.place(path).exists():
                assert json.loads(self.arena.place(path).read_text())
