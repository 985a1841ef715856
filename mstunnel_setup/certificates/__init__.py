"""TLS certificates of the gateway: read anything, judge it, and return what is served."""
