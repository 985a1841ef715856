"""Errors of `answers` that several places raise, and how they name a key."""

from mstunnel_setup.base.errors import UsageError, declare

ANSWERS_INVALID = declare(
    UsageError,
    "answers-invalid",
    "{problem}",
    "Correct them. `mstunnel-setup answers new` writes a commented answer file to compare with, `--help` "
    "shows all options.",
)
ENVIRONMENT_INVALID = declare(
    UsageError,
    "environment-invalid",
    "the environment variable {variable} cannot be {value}: {reason}",
    "Set it to {expected}, or unset it.",
)
SECRET_INVALID = declare(
    UsageError,
    "secret-invalid",
    "the secret {reference} is not {expected}",
    "Put only the secret, as UTF-8 text, into its own file.",
)


class Key(str):
    """A key of the answer file as a value of a message: an option or variable may be named in its place."""

    __slots__ = ()
