"""TLS certificates of the gateway: read anything, judge it, and give back what is served."""
