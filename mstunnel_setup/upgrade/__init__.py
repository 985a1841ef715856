"""Upgrades of the two images: which releases there are, when a server's turn has come, and what was done."""
