"""The gateway: its configuration files, the rules for tokens, and the control program of ocserv."""
