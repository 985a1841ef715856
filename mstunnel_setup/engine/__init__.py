"""The engine: steps, actions, plan, journal, receipt, runner, lock. It knows nothing of Tunnel."""
