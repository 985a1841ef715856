"""Findings about the files of the certificate in use, each declared once (docs/reference/certificates.md)."""

from functools import partial

from mstunnel_setup.base.errors import declare
from mstunnel_setup.base.problem import error
from mstunnel_setup.certificates.errors import PAGE

_error = partial(declare, error, page=PAGE)
_REPAIR = "Repair it with `mst-cli cert repair`."

LINK_MISSING = _error("link-missing", "the link {path} is missing", _REPAIR)
LINK_FLATTENED = _error("link-flattened", "{path} is not a link to a generation", _REPAIR)
GENERATION_DAMAGED = _error("generation-damaged", "the generation {directory} is damaged: {reason}", _REPAIR)
KEY_OWNER = _error("key-owner", "{path} belongs to uid {uid}", _REPAIR)
CHAIN_MODE = _error("chain-mode", "{path} has mode {mode:04o}, not {wanted:04o}", _REPAIR)
NONE_IN_USE = _error(
    "certificate-not-in-use", "no certificate is in use", "Import one with `mst-cli import_cert`."
)
NOT_SERVED = _error("not-served", "{reason}", "{remedy}")
DEVICES_NOT_CHECKED = _error("devices-not-checked", "{problem}", "{remedy}")
