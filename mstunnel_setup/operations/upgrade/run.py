"""One upgrade, phase by phase: fetch and check, switch, prove from outside, else go back and prove again.

The phase is on the disk before it begins, and each phase may begin again: the monitor or the
next command completes an unfinished upgrade, which always ends with a release that serves.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, SetupError, StepError, UsageError
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.mailbox import Answer, State
from mstunnel_setup.exchange.releases import Digests
from mstunnel_setup.exchange.upgrade_history import (
    Images,
    Outcome,
    Phase,
    Upgrade,
    read_history,
    write_history,
)
from mstunnel_setup.gateway.ocserv_conf import port_in_use
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.installed import require_installed
from mstunnel_setup.install.session import Run
from mstunnel_setup.install.steps import images, launch, verify
from mstunnel_setup.operations.upgrade.drain import drain, reopen
from mstunnel_setup.operations.upgrade.internal_probe import reached_address, reaches_inside
from mstunnel_setup.operations.upgrade.reconnect import await_devices, connected
from mstunnel_setup.transaction.step import AnyStep

# A gateway that serves does so within seconds; the longer the wait, the longer users are out.
_PATIENCE: Final = 30.0
_PAUSE: Final = 0.5


@dataclass(frozen=True)
class UpgradeRequest:
    """A request: a release by name and digests."""

    release: str
    digests: Digests
    asked_by: Literal["administrator", "agent"]
    rejects_source: bool = False
    passes_over: Digests | None = None
    drain_minutes: int = 0


def running(run: Run) -> Images:
    """The images in use. Raises UsageError where nothing is installed."""
    require_installed(run.context.receipt)
    server, agent = (remembered(run.context.receipt, f"images.{name}") for name in ("server", "agent"))
    if not isinstance(server, str) or not isinstance(agent, str):
        raise UsageError(
            "images-missing",
            "the installation has no images yet",
            hint="Run mstunnel-setup.",
        )
    return Images(server=server, agent=agent)


def upgrade_to(run: Run, wish: UpgradeRequest) -> Upgrade:
    """Upgrade to the requested release, after completing an unfinished upgrade.

    Returns the record; its outcome tells whether it succeeded. Raises SetupError when not even the earlier
    release could be brought back; calling `finish` again goes on with that.
    """
    finish(run)
    source, now = running(run), run.context.ports.clock.now()
    return _carry_on(
        run,
        Upgrade(
            release=wish.release,
            source=source,
            target=source.moved_to(wish.digests),
            asked_by=wish.asked_by,
            rejects_source=wish.rejects_source,
            passes_over=wish.passes_over,
            drain_minutes=wish.drain_minutes,
            probe_url=reached_address(run.files, now),
            begun=now,
        ),
    )


def finish(run: Run) -> Upgrade | None:
    """Bring an interrupted upgrade to its end, if there is one. Raises SetupError as `upgrade_to`."""
    unfinished = read_history(run.files).unfinished
    return None if unfinished is None else _carry_on(run, unfinished)


def _carry_on(run: Run, upgrade: Upgrade) -> Upgrade:
    _note(run, upgrade)
    while upgrade.phase is not Phase.ENDED:
        upgrade = _PHASES[upgrade.phase](run, upgrade)
        _note(run, upgrade)
    return upgrade


def _fetch(run: Run, upgrade: Upgrade) -> Upgrade:
    """Pull the images; they are not in use yet, so a failure leaves everything as it was."""
    wanted = (upgrade.target.server, upgrade.target.agent)
    try:
        _refuse_edited(run, upgrade.target)
        run.runner.run([images.fetch(wanted)], _answering_with(run, upgrade.target))
    except SetupError as error:
        _drop_images(run, keep=upgrade.source)
        return _ended(run, upgrade, Outcome.NOT_BEGUN, error.message)
    # A container that stays ends no session, and nothing would let devices in again.
    drains = upgrade.drain_minutes and upgrade.replaces_server
    return upgrade.model_copy(update={"phase": Phase.DRAIN}) if drains else _ready(run, upgrade)


def _drain(run: Run, upgrade: Upgrade) -> Upgrade:
    """Let sessions end by themselves for a while; after an interruption the wait starts again."""
    drain(run.context, port_in_use(run.files), upgrade.drain_minutes)
    return _ready(run, upgrade)


def _ready(run: Run, upgrade: Upgrade) -> Upgrade:
    """Record the connected devices: once the switch has begun, an interruption would lose them."""
    try:
        devices = connected(run.context.ports)
    except EngineError:
        # A gateway that does not answer may be why there is an upgrade.
        return upgrade.model_copy(update={"phase": Phase.SWITCH})
    seen = {"devices": devices, "sessions_before": len(devices)}
    return upgrade.model_copy(update={"phase": Phase.SWITCH, **seen})


def _switch(run: Run, upgrade: Upgrade) -> Upgrade:
    """Take the new images into use and have them prove that they serve."""
    try:
        _take(run, upgrade.target)
        after = _prove_devices(run, upgrade) if upgrade.replaces_server else None
    except SetupError as error:
        return upgrade.model_copy(update={"phase": Phase.BACK, "reason": error.message})
    _drop_images(run, keep=upgrade.target, and_keep=upgrade.source)
    return _ended(run, upgrade.model_copy(update={"sessions_after": after}), Outcome.DONE)


def _prove_devices(run: Run, upgrade: Upgrade) -> int | None:
    """Have the new server prove itself by what the earlier one did. Returns how many devices are back.

    Raises SetupError.
    """
    if upgrade.probe_url:
        reaches_inside(run.context, upgrade.probe_url)
    return await_devices(run.context, upgrade.devices) if upgrade.devices else None


def _back(run: Run, upgrade: Upgrade) -> Upgrade:
    """Take the earlier images into use again; they, too, have to prove themselves."""
    if upgrade.drain_minutes:
        # A container that was not replaced refuses the proof, too; one that is gone has no rule.
        with suppress(SetupError):
            reopen(run.context.ports)
    _take(run, upgrade.source)
    _drop_images(run, keep=upgrade.source)
    return _ended(run, upgrade, Outcome.WENT_BACK, upgrade.reason)


_PHASES: Final[Mapping[Phase, Callable[[Run, Upgrade], Upgrade]]] = {
    Phase.FETCH: _fetch,
    Phase.DRAIN: _drain,
    Phase.SWITCH: _switch,
    Phase.BACK: _back,
}


def _take(run: Run, wanted: Images) -> None:
    run.runner.run(_switching(run), _answering_with(run, wanted))
    run.runner.take_back(launch.obsolete_keys(run.context))
    verify.serves(run.context.ports, port_in_use(run.files), _PATIENCE, _PAUSE)
    verify.healthy(run.context, _PATIENCE)


def _switching(run: Run) -> Sequence[AnyStep]:
    """The steps that take images into use."""
    return (images.STEP, launch.step_for_port(port_in_use(run.files)))


def _refuse_edited(run: Run, wanted: Images) -> None:
    """Raise StepError when a file that would be overwritten was edited by hand: nothing is switched then."""
    for planned in run.runner.plan(_switching(run), _answering_with(run, wanted)):
        for edited in filter(None, map(run.runner.changed, planned.actions)):
            raise StepError(
                "upgrade-changed-file",
                "{changed} since the installation wrote it",
                hint=(
                    "Compare it with `mstunnel-setup plan`; to replace it, run mstunnel-setup at a "
                    "terminal and confirm."
                ),
                changed=edited,
            )


def _answering_with(run: Run, wanted: Images) -> Context:
    """The run with these images as answers. An archive of the installation does not hold others."""
    earlier = {key: value for key, value in run.context.answers.record().items() if key != "images.archive"}
    given = {"images.server": wanted.server, "images.agent": wanted.agent}
    return run.context.answering(merge(given, {}, earlier=earlier))


def _drop_images(run: Run, keep: Images, and_keep: Images | None = None) -> None:
    """Remove the images of ours that no release needs any more, and no container of ours runs.

    After a run that was cut off, a container may still run the images before those of the answers.
    """
    needed = [item for images in (keep, and_keep) if images for item in (images.server, images.agent)]
    states = [run.context.ports.engine.inspect(name) for name in (paths.SERVER, paths.AGENT)]
    kept = {reference.partition("@")[2] for reference in needed}
    kept |= {state.image_digest for state in states if state is not None}
    ours = (key for key in run.context.receipt.entries if key.startswith("image:"))
    run.runner.take_back({key for key in ours if key.partition("@")[2] not in kept})


def _ended(run: Run, upgrade: Upgrade, outcome: Outcome, reason: str = "") -> Upgrade:
    end = {"phase": Phase.ENDED, "outcome": outcome, "reason": reason, "devices": ()}
    return upgrade.model_copy(update={**end, "ended": run.context.ports.clock.now()})


def _note(run: Run, upgrade: Upgrade) -> None:
    """Put the state on the disk, and what the agent reports to the tenant into the mailbox."""
    write_history(run.files, read_history(run.files).with_last(upgrade))
    digests = upgrade.target.digests
    answer = Answer(
        state=_state(upgrade),
        server=digests.server,
        agent=digests.agent,
        reason=upgrade.reason,
        at=run.context.ports.clock.now(),
    )
    mailbox.write_answer(run.files, answer)


def _state(upgrade: Upgrade) -> State:
    if upgrade.outcome is None:
        return "upgrading"
    return "done" if upgrade.outcome is Outcome.DONE else "failed"
