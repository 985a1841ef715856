"""Day-two operations on an installed gateway."""
