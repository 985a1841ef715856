"""TLS certificates of the gateway: read all usual forms, judge them, and write the form to serve."""
