"""Files that agent, gateway and host share: requests and replies, reports, releases and their history."""

LONGEST_DRAIN = 1440
"""Minutes: a day. Longer sessions have to sign in again anyway."""
