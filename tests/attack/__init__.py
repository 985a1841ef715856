"""Attacks on an installed gateway, one file for each attacker."""
