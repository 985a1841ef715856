"""What explains a problem, in one file without secrets."""
