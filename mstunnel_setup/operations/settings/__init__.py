"""Settings of an installed gateway: env.sh, log level, server configuration."""
