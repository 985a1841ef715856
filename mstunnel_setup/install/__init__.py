"""What the host does once: the steps of an installation, their plan, and how it is removed."""
