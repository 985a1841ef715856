"""Errors and warnings of `mstunnel-setup adopt`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import CheckError, StepError, UsageError, declare
from mstunnel_setup.base.result import declare_notice

VENDOR_MISSING = declare(
    UsageError,
    "vendor-missing",
    "Microsoft's own gateway is not installed here",
    "Install this gateway with `mstunnel-setup`, or correct --root.",
)
INSTALLATION_BEGUN = declare(
    UsageError,
    "installation-begun",
    "the gateway of this program is installed here, or its installation has begun",
    "See `mstunnel-setup status`.",
)

# What keeps a host from being taken over.

CERTIFICATE_NOT_FOUND = declare(
    CheckError,
    "vendor-certificate-missing",
    "the certificate that Microsoft's gateway serves was not found as PEM files",
    "Name it with --cert and --key, or with --pfx and --passphrase-file.",
)
CERTIFICATE_UNUSABLE = declare(
    CheckError,
    "vendor-certificate-unusable",
    "the certificate {chain}: {problem}",
    "{hint} Or name another one with --cert and --key.",
)
OWNED_BY_ACCOUNT = declare(
    CheckError,
    "vendor-rootless",
    "the account with uid {owner} owns /etc/mstunnel: Microsoft's gateway runs without root",
    "A gateway without root cannot be taken over. Remove it with its own `mst-cli uninstall`, then install "
    "this one with `mstunnel-setup --rootless`.",
)
DIRECTORY_IRREGULAR = declare(
    CheckError,
    "vendor-directory-irregular",
    "{path} is a {kind}, so it cannot be moved aside",
    "Replace it with a directory on the same file system as /etc.",
)
ASIDE_OCCUPIED = declare(
    CheckError,
    "vendor-aside-occupied",
    "{paths} already exist; an earlier adoption left them",
    "Move them to another place.",
)

# What an administrator should know before the switch.

MESSAGES_WAITING = declare_notice(
    "vendor-messages-waiting",
    "{count} messages wait in /etc/mstunnel/messages/in; an upgrade may be in progress",
    "Check the version in the admin center, and start the switch when no upgrade is due.",
)
CONTAINERS_UNSEEN = declare_notice(
    "vendor-containers-unseen",
    "neither Podman nor Docker shows {missing}",
    "Check `podman ps --all` and `docker ps --all` as root, and for an account that runs them.",
)

# The switch and its end.

PLAN_MISSING = declare(
    UsageError,
    "adoption-plan-missing",
    "the switch needs the digest of the plan that you agreed to",
    "Read `mstunnel-setup adopt plan`, then give its last line: --plan DIGEST.",
)
PLAN_OUTDATED = declare(
    CheckError,
    "adoption-plan-outdated",
    "this host has changed since the plan {given}; nothing was changed",
    "Read the plan again: `mstunnel-setup adopt plan`.",
)
NOTHING_ADOPTED = declare(
    UsageError,
    "nothing-adopted",
    "there is no adoption to {verb} here",
    "See `mstunnel-setup status`.",
)
ADOPTION_NOT_VERIFIED = declare(
    CheckError,
    "adoption-not-verified",
    "the switch is not finished",
    "Continue it: `mstunnel-setup adopt switch`.",
)
ROLLED_BACK = declare(
    StepError,
    "adoption-rolled-back",
    "the switch failed, and Microsoft's gateway serves again: {reason}",
    "{hint} Then start again with `mstunnel-setup adopt plan`.",
)
ROLLBACK_FAILED = declare(
    StepError,
    "adoption-rollback-failed",
    "the switch failed ({reason}), and so did the rollback: {problem}",
    "{hint} Then run `mstunnel-setup adopt rollback`.",
)
