"""Accounts and groups of this machine, and the groups that only services belong to.

The single-file program includes a C library that reads /etc/passwd and /etc/group but loads none of the
host's NSS modules (sssd, systemd-userdb). Accounts known only to these come from the host's `getent` and
`id`.
"""

import grp
import os
import pwd
import subprocess
from dataclasses import dataclass
from typing import Final

# The first user id for people (login.defs: UID_MIN) on every supported platform.
_FIRST_PERSON: Final = 1000
# `getent` waits for directory servers that do not respond.
_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Account:
    """An account: its name, user and group id, home, and all its groups."""

    name: str
    uid: int
    gid: int
    home: str

    @property
    def groups(self) -> list[int]:
        """The ids of all its groups."""
        listed = _output("id", "-G", self.name).split()
        return [int(group) for group in listed] or os.getgrouplist(self.name, self.gid)

    @property
    def group(self) -> str:
        """The name of its primary group, or the id of a group without a name."""
        found = _group(self.gid)
        return found.gr_name if found else str(self.gid)


def _passwd(key: str | int) -> pwd.struct_passwd | None:
    """Return the entry of an account, by name or id."""
    try:
        return pwd.getpwnam(key) if isinstance(key, str) else pwd.getpwuid(key)
    except KeyError:
        if not (entry := _entry("passwd", key)):
            return None
    name, password, uid, gid, comment, home, shell = entry
    return pwd.struct_passwd((name, password, int(uid), int(gid), comment, home, shell))


def _group(key: str | int) -> grp.struct_group | None:
    """Return the entry of a group, by name or id."""
    try:
        return grp.getgrnam(key) if isinstance(key, str) else grp.getgrgid(key)
    except KeyError:
        if not (entry := _entry("group", key)):
            return None
    name, password, gid, members = entry
    return grp.struct_group((name, password, int(gid), members.split(",") if members else []))


def _entry(database: str, key: str | int) -> list[str]:
    """Return the fields of an entry, as `getent` prints them (getent(1)); empty if there is none."""
    printed = _output("getent", database, str(key))
    return printed.splitlines()[0].split(":") if printed else []


def _output(*command: str) -> str:
    """Return a program's output, empty if it fails.

    `io.process` imports this module, so it cannot be used.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def find(name: str) -> Account | None:
    """Return the account called `name`; None if there is none."""
    found = _passwd(name)
    return Account(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir) if found else None


def own_name() -> str:
    """Return the name of this process's account, or its user id if it has no name."""
    found = _passwd(os.geteuid())
    return found.pw_name if found else str(os.geteuid())


def has_group(group: str) -> bool:
    """Return whether the group exists."""
    return _group(group) is not None


def is_member(name: str, group: str) -> bool:
    """Return whether the account is in the group; False if the group does not exist."""
    found = _group(group)
    return found is not None and name in found.gr_mem


def is_own_group(gid: int) -> bool:
    """Return whether `gid` is the primary group of this process's account, without other members."""
    own, group = _passwd(os.geteuid()), _group(gid)
    if own is None or group is None:
        return False
    return own.pw_gid == gid and group.gr_name == own.pw_name and set(group.gr_mem) <= {own.pw_name}


def is_service_group(gid: int) -> bool:
    """Return whether `gid` is the primary group of a service's account and has only services as members.

    Ubuntu gives /var/log to root:syslog with mode 0775: only the system logger may write there, besides root.
    """
    group = _group(gid)
    if group is None:
        return False
    owner, *members = map(_passwd, (group.gr_name, *group.gr_mem))
    services = all(account is not None and account.pw_uid < _FIRST_PERSON for account in (owner, *members))
    return services and owner is not None and owner.pw_gid == gid
