"""What `site change` and `reenroll` share: register again and restart the agent."""

from collections.abc import Collection

from mstunnel_setup import paths
from mstunnel_setup.containers import control
from mstunnel_setup.engine.runner import Removal
from mstunnel_setup.install.session import Run, step_named

_AFTERWARDS = ("register", "configure", "launch", "verify")


def take_back(run: Run, kinds: Collection[str]) -> list[Removal]:
    """Undo the objects of these kinds of actions, newest first; the rest of the installation stays."""
    entries = run.context.receipt.entries.values()
    return run.runner.take_back([entry.key for entry in entries if entry.versions[-1]["kind"] in kinds])


def enrol(run: Run, *, first: Collection[str] = ()) -> bool:
    """Run the steps `first`, then those from the registration on; the agent starts with what is new then.

    Returns whether there was anything to do.
    """
    steps = [step_named(name) for name in ("sign-in", *first, *_AFTERWARDS[:-1])]
    done = run.runner.run(steps, run.context)
    control.restart(run.context.ports, paths.AGENT)
    run.runner.run([step_named(_AFTERWARDS[-1])], run.context)
    return any(planned.actions for planned in done)
