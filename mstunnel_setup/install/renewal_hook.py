"""The renewal hook: certbot or acme.sh imports each renewed certificate into the gateway.

The answer `certificate.renewal_hook` (step `certificate`), the offer at the end of an installation and
`mst-cli cert hook` lead here. Sources: certbot's documentation, "Renewing certificates" (`RENEWED_LINEAGE`);
acme.sh 3.1, which exports `CERT_FULLCHAIN_PATH` and `CERT_KEY_PATH` to the command of `--reloadcmd`.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Final

from mstunnel_setup.actions.files import WriteFile, directories
from mstunnel_setup.actions.renewal_hooks import SetReloadCommand
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import UsageError, declare
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.acme_clients import (
    DIRECTORIES,
    AcmeClient,
    RenewedCertificate,
    acme_settings,
    renewed_certificates,
)
from mstunnel_setup.certificates.leaf_findings import is_valid_for
from mstunnel_setup.install.installed import path_of
from mstunnel_setup.install.run import Run
from mstunnel_setup.transaction.action import Action

CERTBOT_HOOK: Final = "/etc/letsencrypt/renewal-hooks/deploy/mstunnel"
ACME_HOOK: Final = f"{paths.CONFIGURATION}/renewal-hook"
HOOKS: Final[dict[AcmeClient, str]] = {"certbot": CERTBOT_HOOK, "acme.sh": ACME_HOOK}

_IMPORT: Final = "mst-cli import_cert"
# After an uninstallation that could not clear it, the command does nothing.
_RELOAD: Final = f"test ! -x {ACME_HOOK} || {ACME_HOOK}"
_RELOAD_KEY: Final = SetReloadCommand.key_template.partition("{")[0]

ACME_CLIENT_MISSING = declare(
    UsageError,
    "acme-client-missing",
    "{client} has no certificates on this host: {directory} does not exist",
    "Request the certificate with {client} as root, then run the command again; without {client}, import "
    "certificates with `mst-cli import_cert`.",
)


def refuse_absent(run: Run) -> None:
    """Raise UsageError if the answers name an ACME client that is not on this host, or a rootless gateway."""
    client = run.answers.certificate.renewal_hook
    if client is None or client == "none":
        return
    _refuse_rootless(run)
    if run.files.state(DIRECTORIES[client]) is None:
        raise ACME_CLIENT_MISSING(client=client, directory=DIRECTORIES[client])


def answered(run: Run, public_address: str | None) -> tuple[Action, ...]:
    """Return the actions that write the hook which the answers name; none without one. Raises UsageError."""
    client = run.answers.certificate.renewal_hook
    if client is None or client == "none":
        return ()
    return writing(run, renewed(run, client, public_address))


def obsolete(run: Run) -> Collection[str]:
    """Return the keys of hooks that the answers no longer name; without an answer, hooks stay."""
    client = run.answers.certificate.renewal_hook
    if client is None:
        return ()
    files = {f"file:{path}" for other, path in HOOKS.items() if other != client}
    return [
        key
        for key in run.receipt.entries
        if key in files or (client != "acme.sh" and key.startswith(_RELOAD_KEY))
    ]


def renewed(run: Run, client: AcmeClient, public_address: str | None) -> RenewedCertificate:
    """Return the client's certificate that is in use, else the latest for the site's public address.

    Raises UsageError if the client or such a certificate is not on this host.
    """
    _refuse_rootless(run)
    if run.files.state(DIRECTORIES[client]) is None:
        raise ACME_CLIENT_MISSING(client=client, directory=DIRECTORIES[client])
    if (found := _in_use(run, client)) is not None:
        return found
    known = renewed_certificates(run.files, client)
    suitable = [item for item in known if public_address and is_valid_for(item.leaf, public_address)]
    if not suitable:
        raise UsageError(
            "acme-certificate-missing",
            "no certificate of {client} on this host is in use or valid for {address}",
            hint="Request one for the site's public address with {client}, then run the command again.",
            client=client,
            address=public_address or text("the site's public address"),
        )
    return max(suitable, key=lambda item: item.leaf.not_valid_after_utc)


def _refuse_rootless(run: Run) -> None:
    if run.answers.mode == "rootless":
        raise UsageError(
            "renewal-hook-rootless",
            "the account of a rootless gateway cannot read the keys of certbot and acme.sh, which belong to"
            " root",
            hint="Have a hook of root copy chain and key to files of the account, then call"
            " `mst-cli import_cert` with them.",
        )


def _in_use(run: Run, client: AcmeClient) -> RenewedCertificate | None:
    leaf = run.identity.leaf if run.identity else generations.leaf_in_use(run.files)
    return next((item for item in renewed_certificates(run.files, client) if item.leaf == leaf), None)


def writing(run: Run, certificate: RenewedCertificate) -> tuple[Action, ...]:
    """Return the actions that write the client's hook for this certificate.

    Raises UsageError `acme-client-missing` without the program acme.sh, and `acme-install-taken` if acme.sh
    already installs this certificate for something else.
    """
    program = path_of(run.files, "mst-cli")
    if certificate.client == "certbot":
        hook = rendering.render("certificates/mstunnel", lineage=certificate.directory, program=program)
        place = directories(CERTBOT_HOOK.rpartition("/")[0])
        return (*place, WriteFile(path=CERTBOT_HOOK, text=hook, mode=0o755))
    settings = acme_settings(run.files, certificate.directory, certificate.name)
    current = settings.get("Le_ReloadCmd", "")
    if _IMPORT in current:
        return ()
    installed = [name for name, value in settings.items() if name.startswith("Le_Real") and value]
    if current != _RELOAD and (current or installed):
        raise UsageError(
            "acme-install-taken",
            "acme.sh already installs the certificate {name} elsewhere, or runs a command after its renewal",
            hint="Add this to its reload command: `{command}`.",
            name=certificate.name,
            command='mst-cli import_cert --unattended --if-changed --cert "$CERT_FULLCHAIN_PATH" --key '
            '"$CERT_KEY_PATH"',
        )
    home = DIRECTORIES["acme.sh"]
    own = f"{home}/acme.sh"
    acme = str(run.files.locate(own)) if run.files.state(own) else run.host.processes.find("acme.sh")
    if acme is None:
        raise ACME_CLIENT_MISSING(client="acme.sh", directory=own)
    hook = rendering.render("certificates/renewal-hook", program=program)
    return (
        SetReloadCommand(
            program=acme, directory=certificate.directory, name=certificate.name, command=_RELOAD
        ),
        WriteFile(path=ACME_HOOK, text=hook, mode=0o755),
    )


def offered(run: Run) -> Iterator[tuple[RenewedCertificate, Sequence[Action]]]:
    """Yield the certificate in use with the actions that write its hook, for each client that could have one.

    Nothing with an answer, which a hook would contradict, or for a rootless gateway.
    """
    if run.scope is not Scope.ALL or run.answers.certificate.renewal_hook is not None:
        return
    for client, path in HOOKS.items():
        if run.files.state(path) is None and (found := _in_use(run, client)) is not None:
            with suppress(UsageError):  # acme.sh has other plans for it
                if actions := writing(run, found):
                    yield found, actions
