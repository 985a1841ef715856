"""Upgrades of the two images: drain, switch, verify, and roll back."""
