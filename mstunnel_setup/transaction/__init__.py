"""Plan, actions, journal, receipt, runner and lock. Nothing here knows of Tunnel."""
