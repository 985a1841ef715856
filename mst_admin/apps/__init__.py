"""Apps of the tenant, and their settings for the tunnel."""
