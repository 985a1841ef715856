"""The gateway's certificate after the installation: import, check, repair, additional roots."""
