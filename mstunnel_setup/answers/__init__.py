"""Answers: the administrator's settings, the source of each value, and the places of secrets."""
