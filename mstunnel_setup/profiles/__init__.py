"""VPN profiles: what devices are told about the tunnel."""
