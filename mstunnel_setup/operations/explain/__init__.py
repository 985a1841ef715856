"""`mst-cli explain`: why a device cannot connect, or cannot reach an address."""
