"""Who does which part: root everything; of a rootless gateway root the host part, the account the rest."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """All of an installation with root, or a part of a rootless one."""

    ALL = "whole"
    HOST = "host"
    ACCOUNT = "account"


_ASKED = ("eula", "environment", "certificate", "sign-in", "site", "register")
_CONTAINERS = ("images", "configure", "launch", "monitor")
STEP_NAMES: Mapping[Scope, tuple[str, ...]] = {
    Scope.ALL: (*_ASKED, "program", "kernel", "proxy", "bridge", *_CONTAINERS, "audit", "logs", "verify"),
    Scope.HOST: ("eula", "account", "program", "kernel", "uplink", "proxy", "boot", "audit", "logs"),
    Scope.ACCOUNT: (*_ASKED, "proxy-units", *_CONTAINERS, "verify"),
}
"""The names of the steps of each part, in order, for what does not load the steps (`step_list`)."""
