"""Files that agent, gateway and host share: requests and replies, reports, releases and their history."""

MOST_DRAIN_MINUTES = 1440
"""A day. Longer sessions have to sign in again anyway."""
