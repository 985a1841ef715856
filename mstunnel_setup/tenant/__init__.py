"""The tenant: clouds, sign-in, Microsoft Graph, and the actions that change it."""
