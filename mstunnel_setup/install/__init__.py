"""The installation of a gateway: its steps, their plan, and the uninstallation."""
