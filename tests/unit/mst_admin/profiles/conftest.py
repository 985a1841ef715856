"""The labs and the command of the tests of `mst-admin`, as fixtures."""

from tests.unit.mst_admin.conftest import admin, command, empty, tenant

__all__ = ["admin", "command", "empty", "tenant"]
