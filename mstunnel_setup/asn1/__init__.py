"""The structure of certificate and PFX files, looked at before a library opens them."""
