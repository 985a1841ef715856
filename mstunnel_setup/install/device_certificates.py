"""The part of step `certificate` about device certificates: their CAs and their revocation lists."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from mstunnel_setup.actions.certificates import PlaceRevocations
from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.base.errors import CertificateError, UsageError
from mstunnel_setup.certificates.device_authority import (
    device_authorities,
    judge_lists,
    lists_pem,
    read_lists,
)
from mstunnel_setup.certificates.errors import CERTIFICATE_FILE_MISSING
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Action

_CA_FILE = "devices.ca_file"
_PLACED = {_CA_FILE: DEVICE_AUTHORITY, "devices.crl_file": DEVICE_REVOCATIONS}
"""The placed copies of the named files, by setting."""


def missing(run: Run) -> Sequence[str]:
    """Return the setting that an unattended run lacks, unless an earlier run placed the file it names."""
    placed = run.files.state(DEVICE_AUTHORITY) is not None
    return (_CA_FILE,) if run.answers.certificates_of_devices and not placed else ()


def refuse_unusable(answers: AnswerFile, files: Files, now: datetime) -> None:
    """Check those named files that exist on this machine. Raises CertificateError or UsageError."""
    _judge(answers.devices.ca_file or "", answers.devices.crl_file or "", files.read_given, now)


def refuse_gone(run: Run) -> None:
    """Raise CertificateError for a newly named file that is missing while an earlier one is placed.

    Otherwise devices would silently be checked with the earlier one.
    """
    files = run.files
    for setting, placed in _PLACED.items():
        named = run.answers.value(setting)
        if named is None or files.read_given(str(named)) is not None:
            continue
        if run.is_new(setting) and files.state(placed) is not None:
            raise CERTIFICATE_FILE_MISSING(path=named)


def judge_placed(files: Files, now: datetime) -> None:
    """Check the files that an earlier run placed, which may have expired. Raises CertificateError."""
    _judge(DEVICE_AUTHORITY, DEVICE_REVOCATIONS, files.read, now)


def _judge(ca_file: str, crl_file: str, read: Callable[[str], bytes | None], now: datetime) -> None:
    content, listed = (read(path) if path else None for path in (ca_file, crl_file))
    authorities = () if content is None else device_authorities(content, ca_file, now)
    if authorities and listed is not None:
        judge_lists(read_lists(listed, crl_file), crl_file, authorities, now)


def placing(run: Run) -> Sequence[Action]:
    """Return the actions that place the CAs and CRLs; empty if devices do not sign in with certificates.

    A person is prompted for a missing CA. Files that an earlier run placed stay if their sources are gone.
    Raises CertificateError.
    """
    if not run.answers.certificates_of_devices:
        return ()
    asks = run.console.interactive and missing(run)
    while asks and run.answers.devices.ca_file is None:
        path = run.console.ask(
            "Path of the certificate of the CA that issues the devices' certificates (PEM)"
        )
        try:
            _authorities(run, path)
            run.take({_CA_FILE: path})
        except (CertificateError, UsageError) as error:
            run.console.say("{message}. {hint}", message=error.message, hint=error.hint)
    authorities = _authorities(run, _given(run, _CA_FILE))
    pem = "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in authorities)
    actions: list[Action] = [WriteFile(path=DEVICE_AUTHORITY, text=pem)]
    if run.answers.devices.crl_file is not None:
        source = _given(run, "devices.crl_file")
        lists = read_lists(_read(run, source), source)
        judge_lists(lists, source, authorities, run.host.clock.now())
        digest = hashlib.sha256(lists_pem(lists)).hexdigest()
        actions.append(PlaceRevocations(path=DEVICE_REVOCATIONS, source=source, digest=digest))
    return actions


def _given(run: Run, setting: str) -> str:
    """Return the real path of the file that the answers name, or of the copy that an earlier run placed."""
    files, named, placed = run.files, run.answers.value(setting), _PLACED[setting]
    if files.state(placed) is None or (named is not None and files.read_given(str(named)) is not None):
        return str(named or placed)
    if named is not None:
        run.note(f"Devices: {named} cannot be found; {placed}, made of it earlier, is kept.")
    return str(files.locate(placed))


def _authorities(run: Run, path: str) -> tuple[Certificate, ...]:
    return device_authorities(_read(run, path), path, run.host.clock.now())


def _read(run: Run, path: str) -> bytes:
    content = run.files.read_given(path)
    if content is None:
        raise CERTIFICATE_FILE_MISSING(path=path)
    return content
