"""Errors of `lab`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import (
    LockedError,
    NetworkError,
    SignInError,
    TenantError,
    UsageError,
    declare,
)

LAB_BAD_ANSWER = declare(
    TenantError,
    "lab-bad-answer",
    "the lab returned HTTP {status} without JSON",
    "Read the output of the lab.",
)
LAB_CONTROL_REFUSED = declare(
    TenantError,
    "lab-control-refused",
    "the lab refused the request: {reason}",
    "Correct the request, then run the command again.",
)
LAB_DIRECTORY = declare(
    UsageError,
    "lab-directory",
    "the lab cannot use {path}: {reason}",
    "Correct that, or use another --dir.",
)
LAB_FILE_INVALID = declare(
    UsageError,
    "lab-file-invalid",
    "{path} is not the lab.json of a lab",
    "Give the directory of a running lab with --dir.",
)
LAB_FILE_UNREADABLE = declare(
    UsageError,
    "lab-file-unreadable",
    "cannot read {path}: {reason}",
    "Run the command as the user that runs the lab.",
)
LAB_KEY_SET = declare(
    UsageError,
    "lab-key-set",
    "cannot use the key set {path} of {issuer}: {reason}",
    "Use a JSON Web Key Set.",
)
LAB_NOT_RUNNING = declare(
    NetworkError,
    "lab-not-running",
    "no lab is running in {directory}: there is no lab.json",
    "Start it with `mstunnel-lab serve --dir {directory}`, or give its directory with --dir.",
)
LAB_PORT = declare(
    NetworkError, "lab-port", "cannot listen on {host} port {port}: {reason}", "Use another --host or --port."
)
LAB_RUNNING = declare(
    LockedError, "lab-running", "another lab is running in {directory}", "Stop it, or use another --dir."
)
LAB_SEED_DIFFERS = declare(
    UsageError,
    "lab-seed-differs",
    "this lab was created from a different seed file than {name}",
    "Use another --dir for a new lab, or omit --seed to continue with this one.",
)
LAB_SEED_DUPLICATE = declare(
    UsageError,
    "lab-seed-duplicate",
    "two of the seed files describe a tenant with the same {name}",
    "Give each tenant its own id and domain.",
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
LAB_SEED_UNREADABLE = declare(
    UsageError,
    "lab-seed-unreadable",
    "cannot read the seed file {path}: {reason}",
    "Check the path given with --seed.",
)
LAB_SIGN_IN_REFUSED = declare(
    SignInError,
    "lab-sign-in-refused",
    "the sign-in page reports: {reason}",
    "Check the code and the user, then run the command again.",
)
LAB_TOKEN_FILE = declare(
    UsageError, "lab-token-file", "cannot write {path}: {reason}", "Check the path given with --out."
)
LAB_TOKEN_REFUSED = declare(
    SignInError,
    "lab-token-refused",
    "the lab issued no token: {reason}",
    "Check the user; `mstunnel-lab user` shows and changes it.",
)
LAB_UNKNOWN_USER = declare(
    UsageError, "lab-unknown-user", "the lab has no user {upn}", "Use one of: {known}."
)
LAB_UNREACHABLE = declare(
    NetworkError,
    "lab-unreachable",
    "the lab does not answer at {address}",
    "Check that it is still running and that its name resolves here (DNS, /etc/hosts), and read its output.",
)
