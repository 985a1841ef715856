"""The parts shared by all command lines: options, console, rendering, translation."""
