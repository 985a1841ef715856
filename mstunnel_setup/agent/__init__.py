"""The agent: keeps a gateway in step with its tenant, and watches its health."""
