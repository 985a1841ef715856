"""The monitor on the host, the only privileged process that runs permanently."""
