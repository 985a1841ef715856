"""Where tests put what lies in no temporary directory."""

import os
import pwd
from pathlib import Path
from typing import Final

HOME: Final = Path(pwd.getpwuid(os.geteuid()).pw_dir)
"""The account's own directory, whose parents no other user can change, whatever the variable HOME says."""
