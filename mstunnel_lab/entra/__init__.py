"""The sign-in side of the lab tenant: OAuth 2.0, tokens, permissions, consent."""
