"""`mstunnel-setup adopt`: take over a server on which Microsoft's own gateway is installed."""
