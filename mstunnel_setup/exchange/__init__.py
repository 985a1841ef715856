"""Files that agent, gateway and host share: requests and replies, reports, releases and their history."""

MOST_DRAIN_MINUTES = 1440
"""One day. Longer sessions have to sign in again anyway."""
