"""Containers: one specification, the engines that run it, and the services around them."""
