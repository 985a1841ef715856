"""Apps of the tenant: what they are told about the tunnel."""
