"""Upgrades of the two images: the release catalogue, the decision to upgrade, and the history."""

LONGEST_DRAIN = 1440
"""Minutes: a day. Longer sessions have to sign in again anyway."""
