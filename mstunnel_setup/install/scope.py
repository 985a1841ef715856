"""Who does which part: root everything; of a rootless gateway root the host part, the account the rest."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """All of an installation with root, or a part of a rootless one."""

    ALL = "whole"
    HOST = "host"
    ACCOUNT = "account"


LAST_STEP: Mapping[Scope, str] = {Scope.ALL: "verify", Scope.HOST: "boot", Scope.ACCOUNT: "verify"}
"""The step that finishes each part. Steps after it in the lists were added by later releases."""
