"""What the host does later: day-two operations on an installed gateway."""
