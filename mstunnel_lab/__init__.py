"""The lab tenant: a stand-in for Entra ID, Microsoft Graph and the admin center on one machine."""
