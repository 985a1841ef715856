"""The parts of an installation."""

from enum import StrEnum


class Scope(StrEnum):
    """The whole of an installation with root, or one part of a rootless one."""

    ALL = "whole"
    HOST = "host"
    ACCOUNT = "account"
