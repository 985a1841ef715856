"""The subset of Microsoft Graph that the lab tenant serves."""
