"""Tools for whoever changes the code: `make check`, mutation tests, figures and translations."""
