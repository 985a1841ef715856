"""The lists of steps, which define the order of a run, `step NAME`, `--skip`, the help and the docs page.

Steps that ask a person come first, and no step between sign-in and registration waits for one: a registered
server signs in itself, so a later stop needs no second sign-in.
"""

from collections.abc import Mapping
from dataclasses import replace

from mstunnel_setup.base.scope import Scope
from mstunnel_setup.install import preflight
from mstunnel_setup.install.steps import (
    bridge,
    certificate,
    configure,
    environment,
    eula,
    host_part,
    images,
    kernel,
    launch,
    program,
    proxy,
    register,
    sign_in,
    site,
    verify,
)
from mstunnel_setup.transaction.step import AnyStep

# The host is checked against the site once it is known; these checks import later steps, so they are added
# to the step here.
_SITE: AnyStep = replace(site.STEP, gather=lambda run: site.gather(run, preflight.refuse_unsuited))

ORDER: tuple[AnyStep, ...] = (
    eula.STEP,
    environment.STEP,
    certificate.STEP,
    sign_in.STEP,
    _SITE,
    register.STEP,
    program.PROGRAM,
    kernel.STEP,
    proxy.STEP,
    bridge.STEP,
    images.STEP,
    configure.STEP,
    launch.STEP,
    program.MONITORING,
    program.AUDIT,
    program.LOGS,
    verify.STEP,
)

ROOTLESS: Mapping[Scope, tuple[AnyStep, ...]] = {
    Scope.HOST: (
        eula.BY_ROOT,
        host_part.ACCOUNT,
        program.PROGRAM,
        kernel.STEP,
        host_part.UPLINK,
        proxy.SYSTEM,
        host_part.BOOT,
        program.AUDIT,
        program.LOGS,
    ),
    Scope.ACCOUNT: (
        eula.STEP,
        environment.STEP,
        certificate.STEP,
        sign_in.STEP,
        _SITE,
        register.STEP,
        proxy.UNITS,
        images.STEP,
        configure.STEP,
        launch.STEP,
        program.MONITORING,
        verify.STEP,
    ),
}


def step_names(mode: str) -> frozenset[str]:
    """Return the names of all steps of an installation in a mode, of root and of the account."""
    scopes = (Scope.HOST, Scope.ACCOUNT) if mode == "rootless" else (Scope.ALL,)
    return frozenset(step.name for scope in scopes for step in steps_of(scope))


def steps_of(scope: Scope) -> tuple[AnyStep, ...]:
    """Return the steps of one part, or of all, in order."""
    return ORDER if scope is Scope.ALL else ROOTLESS[scope]
