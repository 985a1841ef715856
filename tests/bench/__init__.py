"""Benchmarks: `make bench` writes their figures to build/bench/NAME.json."""
