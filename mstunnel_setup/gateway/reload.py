"""How the gateway is made to look at its files now, instead of a few seconds later."""

from typing import Final

NUDGE: Final = ("sh", "-c", "kill -HUP 1")
"""Run in its container."""
NUDGE_SECONDS: Final = 10.0
