"""The lab's web pages: device sign-in, consent, admin center. No script runs in them."""
