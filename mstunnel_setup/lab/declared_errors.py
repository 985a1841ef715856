"""Errors of `lab`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import SignInError, TenantError, UsageError, declare

LAB_BAD_ANSWER = declare(
    TenantError,
    "lab-bad-answer",
    "the lab answered {status_code} without JSON",
    "",
)
LAB_CONTROL_REFUSED = declare(
    TenantError,
    "lab-control-refused",
    "the lab refused: {found}",
    "",
)
LAB_DIRECTORY = declare(
    UsageError,
    "lab-directory",
    "cannot make the directory {path}: {reason}",
    "",
)
LAB_FILE_INVALID = declare(
    UsageError,
    "lab-file-invalid",
    "{path} is not the lab.json of a lab",
    "",
)
LAB_FILE_UNREADABLE = declare(
    UsageError,
    "lab-file-unreadable",
    "cannot read {path}: {reason}",
    "",
)
LAB_KEY_SET = declare(
    UsageError,
    "lab-key-set",
    "cannot use the key set {path} of {issuer}: {error}",
    "give a JSON Web Key Set",
)
LAB_SEED_DIFFERS = declare(
    UsageError,
    "lab-seed-differs",
    "this lab was made from another seed file than {name}",
    "Give another --dir for a new lab, or leave --seed out to go on with this one.",
)
LAB_SEED_UNREADABLE = declare(
    UsageError,
    "lab-seed-unreadable",
    "cannot read the seed file {path}: {reason}",
    "",
)
LAB_SIGN_IN_REFUSED = declare(
    SignInError,
    "lab-sign-in-refused",
    "the sign-in page says: {reason}",
    "",
)
LAB_TOKEN_FILE = declare(
    UsageError,
    "lab-token-file",
    "cannot write {out}: {reason}",
    "",
)
LAB_TOKEN_REFUSED = declare(
    SignInError,
    "lab-token-refused",
    "the lab gave no token: {reason}",
    "",
)
LAB_UNKNOWN_USER = declare(
    UsageError,
    "lab-unknown-user",
    "the lab has no user {upn}",
    "Its users are: {known}.",
)
