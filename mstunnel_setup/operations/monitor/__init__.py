"""The monitor on the host: the only privileged part that runs all the time."""
