"""TLS certificates: read them in any usual format, check them, and write what the gateway serves."""
