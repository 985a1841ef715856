"""Turn a Linux server into a Microsoft Tunnel gateway for Intune."""

__version__ = "0.3.0.dev0"
