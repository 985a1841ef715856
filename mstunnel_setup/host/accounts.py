"""Accounts of this machine: which groups belong to a service, so that no person is in them."""

import grp
import pwd
from typing import Final

# Accounts of people start here (login.defs: UID_MIN) on every platform we support.
_FIRST_PERSON: Final = 1000


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
