"""Answers: what the administrator wants, where each value came from, and where secrets are kept."""
