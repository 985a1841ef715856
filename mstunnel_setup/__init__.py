"""Turn a Linux server into a Microsoft Tunnel gateway for Intune."""

__version__ = "0.1.0"
