"""Ports: the only places where the program touches files, processes, the network and time."""
