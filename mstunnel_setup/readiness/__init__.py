"""Readiness: facts about the host and its surroundings, and one pure function for each check of them."""
