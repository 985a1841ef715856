"""Who does which part: root everything; without root two halves, one of root and one of the account."""

from enum import StrEnum


class Scope(StrEnum):
    """The whole of an installation with root, or a half of one without."""

    ALL = "whole"
    HOST = "host"
    ACCOUNT = "account"
