"""The gateway: its configuration files, its token rules, and the interface to occtl."""
