"""Answers: the settings that the administrator chose, the source of each value, and references to secrets."""
