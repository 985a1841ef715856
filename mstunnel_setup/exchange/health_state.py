"""The word for how healthy something is; apart from the rows, which need what they judge."""

from enum import StrEnum


class State(StrEnum):
    """Health of one row, or of the server as a whole."""

    HEALTHY = "healthy"
    WARNING = "warning"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
