"""Readiness: facts of the host and its surroundings, judged by one pure function for each check."""
