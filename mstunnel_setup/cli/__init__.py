"""The command line: one file per command, and one renderer for all of them."""
