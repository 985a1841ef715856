"""The reversible effects on host and tenant, one module per kind of object."""
