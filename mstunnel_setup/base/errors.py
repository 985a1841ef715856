"""Errors for people: a shallow tree, each with a code, a message, a hint and an exit code.

An error is written where it is raised. One that several places raise is declared once:

    FILE_MISSING = declare(UsageError, "file-missing", "there is no file {path}", "Correct the path.")
    raise FILE_MISSING(path=path)

docs/reference/errors.md is generated from both.
"""

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Generic, TypeVar

from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.base.text import Text, sentence

ERRORS_PAGE: Final = "docs/reference/errors.md"


class ExitCode(IntEnum):
    """Exit codes of every command (docs/reference/exit-codes.md)."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    CHECK = 3
    CERTIFICATE = 4
    SIGN_IN = 5
    TENANT = 6
    ENGINE = 7
    NETWORK = 8
    LOCKED = 9
    STEP = 10
    WAITING = 11
    CHANGES_PENDING = 20
    INTERRUPTED = 130


class SetupError(Exception):
    """An expected failure, shown as message and hint, never as a traceback.

    `code` is a stable kebab-case name for machines, `message` is what is wrong and where, `hint` what to do.
    Both texts may have parameters in braces, filled in from `values`:

        raise UsageError("file-exists", "{path} already exists", hint="Give another name.", path=path)

    docs/reference/errors.md and the translations are extracted from these calls.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, code: str, message: str, /, hint: str = "", **values: object) -> None:
        self.code = code
        self.message: str = sentence(message, values)
        self.hint: str = sentence(hint, values)
        super().__init__(self.message)

    @property
    def problem(self) -> Problem:
        """The problem to show for this error."""
        return Problem(self.code, self.message, self.hint, Severity.ERROR)


def declared(error: Exception) -> SetupError:
    """Return `error` itself, or an `internal-error` that names the place where it was raised.

    Programs that continue after an unexpected error report it this way.
    """
    if isinstance(error, SetupError):
        return error
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" in {place.tb_frame.f_globals.get('__name__')}:{place.tb_lineno}"
    return INTERNAL_ERROR(reason=f"{type(error).__name__}{where}", report="Report it.")


class UsageError(SetupError):
    """The command line or the answer file is invalid or incomplete."""

    exit_code = ExitCode.USAGE


class ValuesError(UsageError):
    """Several values are invalid; all of `failures` are shown."""

    def __init__(self, failures: Sequence[UsageError]) -> None:
        hints = dict.fromkeys(failure.hint for failure in failures)
        made = VALUES_INVALID(
            problems="\n".join(failure.message for failure in failures), hints=" ".join(hints)
        )
        super().__init__(made.code, made.message, made.hint)
        self.failures = tuple(failures)


class CheckError(SetupError):
    """A required check of the host failed."""

    exit_code = ExitCode.CHECK


class ChecksFailedError(CheckError):
    """Several required checks of the host failed; all of `failures` are shown."""

    def __init__(self, failures: Sequence[CheckError]) -> None:
        made = CheckError(
            "checks-failed",
            "{count} required checks failed: {names}",
            hint="Fix them, or ignore one with --ignore-check ID; `mst-readiness` shows all checks.",
            count=len(failures),
            names=", ".join(failure.code for failure in failures),
        )
        super().__init__(made.code, made.message, made.hint)
        self.failures = tuple(failures)


class CertificateError(SetupError):
    """The TLS certificate cannot be used."""

    exit_code = ExitCode.CERTIFICATE


class SignInError(SetupError):
    """Sign-in failed, or the account lacks a permission."""

    exit_code = ExitCode.SIGN_IN


class TenantError(SetupError):
    """The tenant (Microsoft Graph) refused the request, or an object is missing."""

    exit_code = ExitCode.TENANT


class EngineError(SetupError):
    """The container engine is missing, not running, or failed."""

    exit_code = ExitCode.ENGINE


class NetworkError(SetupError):
    """A network address could not be reached."""

    exit_code = ExitCode.NETWORK


class LockedError(SetupError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class StepError(SetupError):
    """A step failed; running the same command again continues."""

    exit_code = ExitCode.STEP


class WaitingError(SetupError):
    """Stopped to wait for the administrator; running the same command again continues."""

    exit_code = ExitCode.WAITING


Made = TypeVar("Made", covariant=True)


@dataclass(frozen=True)
class Declared(Generic[Made]):
    """A declared error, finding or warning: its code and its texts, with named parameters in braces.

    `kind` is the class to create, or a function that creates it from code, message and hint. `page` is the
    reference page that lists it.
    """

    kind: Callable[[str, str, str], Made]
    code: str
    message: str
    hint: str
    page: str = ERRORS_PAGE

    @property
    def docs(self) -> str:
        """The page and anchor that describe it."""
        return f"{self.page}#{self.code}"

    def __call__(self, **values: object) -> Made:
        """Create the error with these values for the parameters of `message` and `hint`."""
        return self.kind(self.code, Text(self.message, values), Text(self.hint, values))

    @property
    def parameters(self) -> frozenset[str]:
        """The parameter names in both texts."""
        fields = string.Formatter().parse(f"{self.message} {self.hint}")
        return frozenset(name for _, name, _, _ in fields if name)

    def example(self) -> Made:
        """Create an example with `…` for every value that is only known at run time."""
        return self(**dict.fromkeys(self.parameters, _Unknown()))


class _Unknown:
    def __format__(self, spec: str) -> str:
        return "…"

    def __repr__(self) -> str:
        return "…"


def declare(
    kind: Callable[[str, str, str], Made], code: str, message: str, hint: str = "", page: str = ERRORS_PAGE
) -> Declared[Made]:
    """Declare an error, finding or warning. `code` is a contract: its meaning never changes."""
    return Declared(kind, code, message, hint, page)


# Errors that several packages raise.

CA_FILE_MISSING = declare(
    UsageError,
    "ca-file-missing",
    "there is no file {path}",
    "Correct tenant.ca_file or --ca-file.",
)
CONFIGURATION_MISSING = declare(
    TenantError,
    "configuration-missing",
    "the site has no server configuration",
    "Assign a server configuration to the site in the admin center, then run the command again.",
)
DEBUG_LEVEL_INVALID = declare(
    UsageError,
    "debug-level-invalid",
    "DEBUG_LEVEL cannot be {value}",
    "Set a number from 0 to {highest}, in env.sh and in the answers.",
)
FILE_MISSING = declare(
    UsageError,
    "file-missing",
    "there is no file {path}",
    "Correct the path.",
)
INTERNAL_ERROR = declare(
    SetupError,
    "internal-error",
    "unexpected error: {reason}",
    "{report} This is an error in the program.",
)
NOT_INSTALLED = declare(
    CheckError,
    "not-installed",
    "no gateway is installed here",
    "Install one with mstunnel-setup, or correct --root.",
)
NOT_ROOT = declare(
    CheckError,
    "not-root",
    "{what} needs root privileges",
    "Run it with sudo. For a gateway without root, use --rootless and files that the account can read.",
)
GATEWAY_ACCOUNT_MISSING = declare(
    CheckError,
    "gateway-account-missing",
    "the gateway on this host belongs to account {account}, which no longer exists",
    "Re-create the account with its home directory, or undo root's part: `mstunnel-setup host --remove`.",
)
VALUES_INVALID = declare(
    UsageError,
    "values-invalid",
    "{problems}",
    "{hints}",
)
