"""How the project is built, released, documented and checked: programs for whoever changes it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
