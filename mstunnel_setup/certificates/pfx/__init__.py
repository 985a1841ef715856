"""PFX (PKCS#12) files, examined before a library opens them."""
