"""Secrets: answers only name a secret's place; the value is read when it is needed."""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.text import text
from mstunnel_setup.io.files import Files

SECRET_INVALID = declare(
    UsageError,
    "secret-invalid",
    "the secret {reference} is not {expected}",
    "Put only the secret, as UTF-8 text, into its own file.",
)
Place: TypeAlias = Literal["file", "env", "credential"]

_LARGEST = 65536
_FORMS = {
    "file": (re.compile(r"/[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/]"), text("the full path of a file")),
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), text("the name of an environment variable")),
    "credential": (re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._@:-]+"), text("the name of a systemd credential")),
}


@dataclass(frozen=True)
class SecretReference:
    """Place of a secret: `file:PATH`, `env:NAME` or `credential:NAME` (systemd LoadCredential)."""

    place: Place
    name: str

    @classmethod
    def parse(cls, written: object) -> "SecretReference":
        """Parse a reference; raise ValueError, which never repeats the text, if it is invalid."""
        place, colon, name = str(written).partition(":")
        if not isinstance(written, str) or not colon or place not in _FORMS:
            raise ValueError(
                text(
                    "must be the location of a secret, not the secret itself: put the secret into a file and "
                    "write `file:/path` (or `env:NAME`, `credential:NAME`)"
                )
            )
        form, what = _FORMS[place]
        if not form.fullmatch(name):
            raise ValueError(text("must have {what} after `{place}:`: correct it", what=what, place=place))
        return cls(cast("Place", place), name)

    def __str__(self) -> str:
        return f"{self.place}:{self.name}"


def reveal(
    reference: SecretReference | None,
    files: Files,
    protect: Callable[[str], None],
    *,
    may_be_empty: bool = False,
) -> str:
    """Return the secret, which `protect` keeps out of all output; "" without a reference.

    Args:
        reference: The location of the secret.
        files: The files of the host.
        protect: Called with the secret, to redact it in all output.
        may_be_empty: Accept an empty file as an empty secret.

    Raises UsageError if there is none, or if other accounts may read its file.
    """
    if reference is None:
        return ""
    value = ""
    if reference.place == "env":
        value = os.environ.get(reference.name, "")
    elif reference.place == "file":
        value = _read(files.given, reference.name, reference, stat.S_IRWXG | stat.S_IRWXO)
    elif directory := os.environ.get("CREDENTIALS_DIRECTORY", ""):
        # systemd protects the credentials directory and may grant access by ACL, which shows as group bits.
        value = _read(files.given, f"{directory}/{reference.name}", reference, stat.S_IRWXO)
    if not value and not (may_be_empty and reference.place == "file"):
        raise _missing(reference, "it is empty or not set")
    protect(value)
    return value


def _read(files: Files, path: str, reference: SecretReference, forbidden: int) -> str:
    try:
        found = files.locate(path).stat()
    except OSError as error:
        raise _missing(reference, text(error.strerror or type(error).__name__)) from error
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
        raise SECRET_INVALID(
            reference=reference, expected=text("a file of at most {largest} bytes", largest=_LARGEST)
        )
    if found.st_mode & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        raise UsageError(
            "secret-exposed",
            "other users can read or change the file {path} (mode {mode:04o})",
            hint="Run `chmod 600 {path}`, and replace the secret if others may have read it.",
            path=path,
            mode=mode,
        )
    try:
        content = (files.read(path) or b"").decode("utf-8")
    except UnicodeDecodeError as error:
        raise SECRET_INVALID(reference=reference, expected=text("UTF-8 text")) from error
    return content.removesuffix("\n").removesuffix("\r")


def _missing(reference: SecretReference, reason: str) -> UsageError:
    place = {
        "file": text("in {name}, mode 0600", name=reference.name),
        "env": text("in the environment variable {name}", name=reference.name),
        "credential": text("with `LoadCredential={name}:/path` of the service", name=reference.name),
    }[reference.place]
    return UsageError(
        "secret-missing",
        "the secret {reference} cannot be read: {reason}",
        hint="Provide it {place}.",
        reference=reference,
        reason=reason,
        place=place,
    )
