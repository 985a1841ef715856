"""The tenant: clouds, sign-in and Microsoft Graph."""
