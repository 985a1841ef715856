"""`python -m scripts.docs` writes the reference pages and the JSON schemas."""

from scripts.docs.reference import main

main()
