"""The lists of steps: they drive the order of a run, `step NAME`, `--skip`, help and the docs page.

What a person is asked comes first, and nothing that can stop for them comes after the sign-in: once the
server is registered it signs in itself, so that no later stop costs another sign-in.
"""

from collections.abc import Mapping
from dataclasses import replace

from mstunnel_setup.actions.host import Scope
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

# The host is checked against the site as soon as that is known; these checks use later steps.
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
    """The names of all steps of an installation in a mode, whoever does them."""
    scopes = (Scope.HOST, Scope.ACCOUNT) if mode == "rootless" else (Scope.ALL,)
    return frozenset(step.name for scope in scopes for step in steps_of(scope))


def steps_of(scope: Scope) -> tuple[AnyStep, ...]:
    """The steps of one part, or of all, in order."""
    return ORDER if scope is Scope.ALL else ROOTLESS[scope]
