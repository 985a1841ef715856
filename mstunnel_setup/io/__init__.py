"""All input and output: files, processes, HTTP, network, clock, systemd."""
