"""Every reversible effect on the host and in the tenant, one module per kind of object."""
