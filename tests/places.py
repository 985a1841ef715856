"""Where tests put what lies in no temporary directory, and who can enter the checkout."""

import os
import pwd
import stat
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

HOME: Final = Path(pwd.getpwuid(os.geteuid()).pw_dir)
"""The account's own directory, whose parents no other user can change, whatever the variable HOME says."""

for_other_users: Final = pytest.mark.skipif(
    not all(place.stat().st_mode & stat.S_IXOTH for place in (ROOT, *ROOT.parents)),
    reason=f"other users cannot enter the directory of this checkout, {ROOT.parent}",
)
"""A test that starts the program of this checkout as another user."""
