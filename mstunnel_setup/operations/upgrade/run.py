"""The phases of an upgrade: fetch and check, switch, test from outside, or roll back and test again.

Each phase is on the disk before it begins, and can be repeated: the monitor or the next command completes an
unfinished upgrade, so that it ends with a working release.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, SetupError, StepError, UsageError
from mstunnel_setup.exchange.mailbox import Reply, ReplyState, write_reply
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.exchange.upgrade_history import (
    ImagePair,
    Upgrade,
    UpgradeOutcome,
    UpgradePhase,
    read_history,
    write_history,
)
from mstunnel_setup.gateway.ocserv_conf import gateway_port
from mstunnel_setup.install.installed import require_installed
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.serving import healthy, serves
from mstunnel_setup.install.steps import images, launch
from mstunnel_setup.operations.upgrade import proof
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.step import AnyStep

# A working gateway serves within seconds; a longer wait only prolongs an outage.
_PATIENCE: Final = 30.0
_PAUSE: Final = 0.5


def running(run: Run) -> ImagePair:
    """Return the images in use. Raises UsageError if nothing is installed."""
    require_installed(run.journal)
    server, agent = (remembered(run.receipt, f"images.{name}") for name in ("server", "agent"))
    if not isinstance(server, str) or not isinstance(agent, str):
        raise UsageError("images-missing", "the installation has no images yet", hint="Run mstunnel-setup.")
    return ImagePair(server=server, agent=agent)


def upgrade_to(
    run: Run,
    release: str,
    digests: Digests,
    asked_by: Literal["administrator", "agent"],
    *,
    rejects_source: bool = False,
    passes_over: Digests | None = None,
    drain_minutes: int = 0,
) -> Upgrade:
    """Upgrade to the release of these images, after completing an unfinished upgrade (fields: `Upgrade`).

    Returns the record, whose outcome says whether it succeeded. Raises SetupError if not even the earlier
    release could be restored; calling `finish` again continues with that.
    """
    finish(run)
    source, now = running(run), run.host.clock.now()
    upgrade = Upgrade(
        release=release,
        source=source,
        target=source.moved_to(digests),
        asked_by=asked_by,
        rejects_source=rejects_source,
        passes_over=passes_over,
        drain_minutes=drain_minutes,
        probe_url=proof.reached_address(run.files, now),
        begun=now,
    )
    return _carry_on(run, upgrade)


def finish(run: Run) -> Upgrade | None:
    """Complete an interrupted upgrade, if there is one. Raises SetupError as `upgrade_to`."""
    unfinished = read_history(run.files).unfinished
    return None if unfinished is None else _carry_on(run, unfinished)


def _carry_on(run: Run, upgrade: Upgrade) -> Upgrade:
    _note(run, upgrade)
    while upgrade.phase is not UpgradePhase.ENDED:
        upgrade = _PHASES[upgrade.phase](run, upgrade)
        _note(run, upgrade)
    return upgrade


def _fetch(run: Run, upgrade: Upgrade) -> Upgrade:
    """Pull the images; they are not in use yet, so a failure changes nothing."""
    wanted = upgrade.target
    run = _answering_with(run, wanted)
    try:
        # If an administrator edited a file that the switch overwrites, the upgrade stops here.
        for planned in run.runner.plan(_switching(run), run):
            for edited in filter(None, map(run.runner.changed, planned.actions)):
                raise StepError(
                    "upgrade-changed-file",
                    "{changed} since the installation wrote it",
                    hint="Compare it with `mstunnel-setup plan`; to replace it, run mstunnel-setup at a "
                    "terminal and confirm.",
                    changed=edited,
                )
        run.runner.run([images.fetch((wanted.server, wanted.agent))], run)
    except SetupError as error:
        _drop_images(run, upgrade.source)
        return _ended(run, upgrade, UpgradeOutcome.NOT_BEGUN, error.message)
    # A drain is pointless if the container stays: no session ends, and no new container removes the rule.
    drains = upgrade.drain_minutes and upgrade.replaces_server
    return upgrade.model_copy(update={"phase": UpgradePhase.DRAIN}) if drains else _ready(run, upgrade)


def _drain(run: Run, upgrade: Upgrade) -> Upgrade:
    """Wait for sessions to end; after an interruption the wait starts again."""
    proof.drain(run, gateway_port(run.files), upgrade.drain_minutes)
    return _ready(run, upgrade)


def _ready(run: Run, upgrade: Upgrade) -> Upgrade:
    """Record the connected devices before the switch, which an interruption would otherwise lose."""
    seen: dict[str, object] = {}
    # The gateway may not answer; an upgrade may be the remedy for that.
    with suppress(EngineError):
        devices = proof.connected(run.host)
        seen = {"devices": devices, "sessions_before": len(devices)}
    return upgrade.model_copy(update={"phase": UpgradePhase.SWITCH, **seen})


def _switch(run: Run, upgrade: Upgrade) -> Upgrade:
    """Switch to the new images and test that they serve."""
    try:
        _take(run, upgrade.target)
        # The new server has to reach the internal address if the earlier one did.
        if upgrade.replaces_server and upgrade.probe_url:
            proof.reaches_inside(run, upgrade.probe_url)
        awaited = upgrade.replaces_server and upgrade.devices
        after = proof.await_devices(run, upgrade.devices) if awaited else None
    except SetupError as error:
        return upgrade.model_copy(update={"phase": UpgradePhase.BACK, "reason": error.message})
    _drop_images(run, upgrade.target, upgrade.source)
    return _ended(run, upgrade.model_copy(update={"sessions_after": after}), UpgradeOutcome.DONE)


def _back(run: Run, upgrade: Upgrade) -> Upgrade:
    """Switch back to the earlier images and test that they serve."""
    if upgrade.drain_minutes:
        # A container that was not replaced would refuse the test, too; a removed one has no drain rule.
        with suppress(SetupError):
            proof.reopen(run.host)
    _take(run, upgrade.source)
    _drop_images(run, upgrade.source)
    return _ended(run, upgrade, UpgradeOutcome.WENT_BACK, upgrade.reason)


_PHASES: Final[Mapping[UpgradePhase, Callable[[Run, Upgrade], Upgrade]]] = {
    UpgradePhase.FETCH: _fetch,
    UpgradePhase.DRAIN: _drain,
    UpgradePhase.SWITCH: _switch,
    UpgradePhase.BACK: _back,
}


def _take(run: Run, wanted: ImagePair) -> None:
    run.runner.run(_switching(run), _answering_with(run, wanted))
    serves(run.host, gateway_port(run.files), _PATIENCE, _PAUSE)
    healthy(run.host, _PATIENCE)


def _switching(run: Run) -> Sequence[AnyStep]:
    """Return the steps that switch to other images."""
    return (images.STEP, launch.step_for_port(gateway_port(run.files)))


def _answering_with(run: Run, wanted: ImagePair) -> Run:
    """Return the run with these images as answers, without the archive, which holds other images."""
    earlier = {key: value for key, value in run.answers.record().items() if key != "images.archive"}
    given = {"images.server": wanted.server, "images.agent": wanted.agent}
    return run.answering(merge(given, {}, earlier=earlier))


def _drop_images(run: Run, *needed: ImagePair) -> None:
    """Remove this product's images that neither a needed release nor a running container uses.

    After an interrupted run, a container may still use older images than the answers name.
    """
    states = [run.host.engine.inspect(name) for name in (paths.SERVER, paths.AGENT)]
    kept = {item.partition("@")[2] for images in needed for item in (images.server, images.agent)}
    kept |= {state.image_digest for state in states if state is not None}
    ours = (key for key in run.receipt.entries if key.startswith("image:"))
    run.runner.take_back({key for key in ours if key.partition("@")[2] not in kept})


def _ended(run: Run, upgrade: Upgrade, outcome: UpgradeOutcome, reason: str = "") -> Upgrade:
    end = {"phase": UpgradePhase.ENDED, "outcome": outcome, "reason": reason, "devices": ()}
    return upgrade.model_copy(update={**end, "ended": run.host.clock.now()})


def _note(run: Run, upgrade: Upgrade) -> None:
    """Write the state to the disk, and the reply that the agent reports to the tenant.

    The reply is written first, because an upgrade that has ended in the history is not resumed.
    """
    history = read_history(run.files).with_last(upgrade)
    ended: ReplyState = "accepted" if upgrade.outcome is UpgradeOutcome.DONE else "failed"
    state = "applying" if upgrade.outcome is None else ended
    reply = Reply.about(upgrade.target.digests, state, upgrade.reason, run.host.clock.now())
    if upgrade.phase is UpgradePhase.ENDED:
        write_reply(run.files, reply)
        write_history(run.files, history)
    else:
        write_history(run.files, history)
        write_reply(run.files, reply)
