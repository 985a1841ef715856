"""Switch the gateway to another generation of the certificate, verify it, and roll back on failure."""

from collections.abc import Sequence

from pydantic import Field

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.certificates import pending_imports, refuse_unloadable
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, NetworkError, SetupError
from mstunnel_setup.base.result import Report
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations
from mstunnel_setup.gateway.ocserv_conf import gateway_port
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.serving import serves
from mstunnel_setup.install.session import apply_actions
from mstunnel_setup.install.steps import certificate, images
from mstunnel_setup.transaction.action import Action

# A reload takes less than a second, but a gateway that is still starting may miss the first one.
_ATTEMPTS = 4
_PATIENCE = 5.0
_PAUSE = 0.1
_SEE_LOGS = "See why with `mst-cli server logs`."


class Activation(Report):
    """The activation of a certificate."""

    serving: bool = Field(description="True if a running gateway serves it.")
    seconds: float = Field(description="From the switch to the proof.")

    @property
    def text(self) -> str:
        """The outcome as a sentence."""
        if self.serving:
            return text("The gateway serves it, {seconds:.1f} s after the switch.", seconds=self.seconds)
        return text("The gateway is not running; it will serve it when started.")


def activate(run: Run, name: str, copies: Sequence[Action] = ()) -> Activation:
    """Activate generation `name`, verify it by a handshake, then copy it to the usual places.

    Raises CertificateError `import-refused` before the switch if the gateway's image cannot load it, and
    `import-taken-back` if the gateway does not serve it; the previous one is then active again. Removes all
    generations but these two.
    """
    state = run.files.state(paths.ACTIVE)
    if state is not None and state.kind != "link":
        raise CertificateError(
            "link-flattened",
            "{path} is a {kind}; expected a symbolic link",
            hint="Repair it with `mst-cli cert repair`, then run the command again.",
            path=paths.ACTIVE,
            kind=state.kind,
        )
    before = previous(run, name)
    # The port is read before the switch because opening the engine takes longer than all the rest.
    port = serving_port(run)
    if image := images.for_judgement(run):
        try:
            refuse_unloadable(run.host, image, name)
        except CertificateError:
            if name not in _waiting(run):
                drop(run, name)
            raise
    clock = run.host.clock
    started = clock.monotonic()
    apply_actions(run, "Switch to the certificate", [certificate.switching(name)])
    try:
        serving = prove(run, port)
    except SetupError as error:
        raise _taken_back(run, name, before, error) from error
    seconds = clock.monotonic() - started
    finish_switch(run, name, copies)
    return Activation(serving=serving, seconds=round(seconds, 2))


def finish_switch(run: Run, name: str, copies: Sequence[Action]) -> None:
    """Copy the active generation `name` to the usual places and remove all but the last two generations.

    If copies of the previous certificate in the other format stayed, a later import without options would
    find two certificates at the usual places.
    """
    apply_actions(run, "Copies for the usual places", copies)
    if copied := {copy.key for copy in copies}:
        pfx, pem = {f"file:{paths.SITE_PFX}"}, {f"file:{paths.SITE_CERTIFICATE}", f"file:{paths.SITE_KEY}"}
        run.runner.take_back(pfx if pfx.isdisjoint(copied) else pem)
    kept = {name, previous(run, name), *_waiting(run)}
    for generation in run.files.names(paths.GENERATIONS):
        if generation not in kept:
            drop(run, generation)


def previous(run: Run, name: str) -> str | None:
    """Return the generation in use before `name`: the linked one, else the one in the journal."""
    linked = generations.linked(run.files)
    if linked is not None and linked != name:
        return linked
    entry = run.receipt.entries.get(f"link:{paths.ACTIVE}")
    targets = [str(version["target"]).rpartition("/")[2] for version in entry.versions] if entry else []
    return next((target for target in reversed(targets) if target != name), None)


def prove(run: Run, port: int | None) -> bool:
    """Return whether a gateway runs on `port`; if so, wait until it serves the linked leaf.

    Returns False if no gateway runs (`port` is None). Raises NetworkError if it does not serve the leaf.
    """
    if port is None:
        return False
    name = generations.linked(run.files)
    for left in reversed(range(_ATTEMPTS)):
        if name is not None:
            generations.freshen(run.files, run.host.clock, name)
        reload_gateway(run)
        try:
            serves(run.host, port, _PATIENCE, _PAUSE)
            break
        except NetworkError:
            if not left:
                raise
    return True


def serving_port(run: Run) -> int | None:
    """Return the running gateway's port; None if none runs or the paths have another root."""
    state = run.host.engine.inspect(paths.SERVER) if run.files.live else None
    return gateway_port(run.files) if state is not None and state.status == "running" else None


def reload_gateway(run: Run) -> None:
    """Reload the gateway's files now; on failure, warn that the gateway does so a little later."""
    try:
        containers.reload_gateway(run.host)
    except SetupError as error:
        run.console.say(
            "The gateway could not be reloaded now and will reload within seconds: {message}",
            message=error.message,
        )


def _taken_back(run: Run, name: str, before: str | None, cause: SetupError) -> CertificateError:
    """Link the previous generation again and drop the rejected one; return the error to raise."""
    why = text("the gateway does not serve the new certificate: {message}", message=cause.message)
    if before is None or run.files.state(generations.directory(before)) is None:
        return CertificateError(
            "import-unproven",
            "{reason}; there is no earlier certificate to restore",
            hint=_SEE_LOGS,
            reason=why,
        )
    apply_actions(run, "Switch back", [certificate.switching(before)])
    try:
        prove(run, serving_port(run))
        outcome = text("the earlier one is in use again")
    except SetupError as error:
        outcome = text(
            "the earlier one is linked again, but the gateway does not serve it: {message}",
            message=error.message,
        )
    # A delayed import stays listed as overdue, so that it can be tried again or cancelled.
    if name not in _waiting(run):
        drop(run, name)
    return CertificateError(
        "import-taken-back", "{reason}; {outcome}", hint=_SEE_LOGS, reason=why, outcome=outcome
    )


def _waiting(run: Run) -> set[str]:
    """Return the generations that wait for a delayed import."""
    return {pending.fingerprint for pending in pending_imports(run.receipt)}


def drop(run: Run, name: str) -> None:
    """Remove a generation, unless it is in use."""
    if name != generations.linked(run.files):
        directory = generations.directory(name)
        run.runner.take_back([generations.freshness(name), f"identity:{directory}", f"directory:{directory}"])
