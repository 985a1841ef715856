"""Errors of `lab` that several places raise."""

from mstunnel_setup.base.errors import (
    UsageError,
    declare,
)

LAB_DIRECTORY = declare(
    UsageError,
    "lab-directory",
    "the lab cannot use {path}: {reason}",
    "Correct that, or use another --dir.",
)
LAB_SEED_INVALID = declare(
    UsageError,
    "lab-seed-invalid",
    "the seed file is invalid: {reason}",
    "Correct it. Without --seed, `mstunnel-lab serve` uses its own seed.",
)
LAB_SEED_NOT_YAML = declare(
    UsageError, "lab-seed-not-yaml", "{place}: {reason}", "Correct the YAML of the seed file."
)
LAB_TOKEN_FILE = declare(
    UsageError, "lab-token-file", "cannot write {path}: {reason}", "Check the path given with --out."
)
