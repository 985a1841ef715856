"""The step that finishes an installation, or a part of a rootless one."""

from collections.abc import Mapping

from mstunnel_setup.actions.host import Scope

LAST_STEP: Mapping[Scope, str] = {Scope.ALL: "verify", Scope.HOST: "boot", Scope.ACCOUNT: "verify"}
"""The step that finishes each part. Steps after it in the lists were added by later releases."""
