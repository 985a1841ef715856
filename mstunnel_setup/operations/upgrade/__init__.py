"""Upgrades of the two images: drain, switch, verify, roll back."""
