"""Upgrades of the two images: which releases there are, when a server's turn has come, and what was done."""

LONGEST_DRAIN = 1440
"""Minutes: a day. Whoever is connected for longer signs in anew anyway."""
