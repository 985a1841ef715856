"""Who does which part: root everything; of a rootless gateway root the host part, the account the rest."""

from enum import StrEnum


class Scope(StrEnum):
    """All of an installation with root, or a part of a rootless one."""

    ALL = "whole"
    HOST = "host"
    ACCOUNT = "account"
