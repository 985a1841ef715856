"""A real browser for the tests of web pages."""
