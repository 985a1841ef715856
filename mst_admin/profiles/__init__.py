"""VPN profiles: what devices learn about the tunnel."""
