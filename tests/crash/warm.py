"""Values that every run of the program would compute again with the same result.

The fork server does it once, so that a run costs its own work only: an RSA key, the agent's credential made
with it and read back (the library tests the key for primes each time), the public roots of this machine, the
command line's parser, the validators of models and the checkers of the journal's data.
"""

import contextlib
import gc
import importlib
import pickle
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import typer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import Certificate
from pydantic import BaseModel

from mstunnel_setup.actions import certificates as actions
from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.base import rendering
from mstunnel_setup.certificates import agent_certificate, ca_trust
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction import action

# The credentials made so far, by name and day.
_credentials: dict[tuple[str, str], tuple[bytes, bytes]] = {}


class _OneKey:
    """Makes always the same RSA key: making one takes longer than the rest of a run."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)

    def generate_private_key(self, *_arguments: int, **_options: int) -> rsa.RSAPrivateKey:
        return self._key

    def __getattr__(self, name: str) -> Any:
        return getattr(rsa, name)


def up(apps: Iterable[typer.Typer]) -> None:
    """Prepare this process, whose forks run one of `apps`."""
    agent_certificate.rsa = _OneKey()  # type: ignore[attr-defined,assignment]
    actions.new_agent_certificate = _credential(agent_certificate.new_agent_certificate)  # type: ignore[attr-defined]
    pkcs12.load_pkcs12 = cache(pkcs12.load_pkcs12)
    pkcs12.load_key_and_certificates = cache(pkcs12.load_key_and_certificates)  # type: ignore[assignment]
    typer.main.get_command = cache(typer.main.get_command)
    for app in apps:
        typer.main.get_command(app)
    rendering._environment().get_template("gateway/ocserv.conf.j2")
    for kind in CODEC._kinds.values():
        action._adapter(kind)
    build_models(BaseModel)
    system_roots()
    gc.freeze()


def build_models(base: type[BaseModel]) -> None:
    """Build the validators of the models that are imported, which others would build when first used."""
    for model in base.__subclasses__():
        if not model.__pydantic_complete__:
            model.model_rebuild(raise_errors=False)
        build_models(model)


def adopt(out: str) -> None:
    """Know what the run that has ended found out: the modules it imported and the credential it made."""
    with contextlib.suppress(FileNotFoundError):
        for name in Path(f"{out}.modules").read_text().split():
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    build_models(BaseModel)
    made = Path(f"{out}.credential")
    if made.exists():
        key, value = pickle.loads(made.read_bytes())
        made.unlink()
        _credentials[key] = value
        agent_certificate.read_agent_certificate(value[0])
        pkcs12.load_key_and_certificates(value[0], None)


def _credential(make: Callable[..., tuple[bytes, bytes]]) -> Callable[..., tuple[bytes, bytes]]:
    def known(common_name: str, now: datetime, days: int) -> tuple[bytes, bytes]:
        key = (common_name, f"{now:%Y-%m-%d}")
        if key not in _credentials:
            _credentials[key] = make(common_name, now, days)
            if _out:
                Path(f"{_out[0]}.credential").write_bytes(pickle.dumps((key, _credentials[key])))
        return _credentials[key]

    return known


# Where the run in this process leaves what it found out.
_out: list[str] = []


def leave_at(out: str) -> None:
    """In a forked process: tell the parent there what was found out."""
    _out[:] = [out]


@cache
def system_roots() -> tuple[Certificate, ...]:
    """The public roots of this machine."""
    return ca_trust.system_roots(Files())
