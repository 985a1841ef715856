"""Builds of the programs, packages and images: what `make dist`, `make packages` and `make images` run."""
