"""The facts about a host and its surroundings: each section with its reader."""
