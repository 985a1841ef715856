"""Accounts of this machine: which groups belong to a service, so that no person is in them."""

import grp
import os
import pwd
from dataclasses import dataclass
from typing import Final

# Accounts of people start here (login.defs: UID_MIN) on every platform we support.
_FIRST_PERSON: Final = 1000


@dataclass(frozen=True)
class Account:
    """An account: its name, numbers, home, and all groups it is in."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def groups(self) -> list[int]:
        """Numbers of all its groups."""
        return os.getgrouplist(self.name, self.gid)


def find(name: str) -> Account | None:
    """The account called `name`; None when there is none."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)


def own_name() -> str:
    """The account that runs this process; its number when it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def is_member(name: str, group: str) -> bool:
    """Whether the account is in the group; a group that is not there has no members."""
    try:
        return name in grp.getgrnam(group).gr_mem
    except KeyError:
        return False


def has_group(group: str) -> bool:
    """Whether there is such a group."""
    try:
        grp.getgrnam(group)
    except KeyError:
        return False
    return True


def is_own_group(gid: int) -> bool:
    """Whether nobody but the account that runs this process is in the group `gid`, its own one."""
    try:
        own, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return own.pw_gid == gid and group.gr_name == own.pw_name and set(group.gr_mem) <= {own.pw_name}


def is_service_group(gid: int) -> bool:
    """Whether `gid` is the own group of a service's account, and nobody but services are in it.

    Ubuntu gives /var/log to root:syslog with mode 0775: only the system logger may write there, besides root.
    """
    try:
        group = grp.getgrgid(gid)
        owner = pwd.getpwnam(group.gr_name)
        members = [pwd.getpwnam(name) for name in group.gr_mem]
    except KeyError:
        return False
    return owner.pw_gid == gid and all(account.pw_uid < _FIRST_PERSON for account in (owner, *members))
