"""Further releases of the images, for upgrades: a good one, and some that must be gone back from."""

import hashlib
from typing import Final

_SILENT: Final = "ENTRYPOINT sleep infinity\nRUN printf '#!/bin/sh\\n' >/usr/libexec/mstunnel/healthcheck\n"
_UNHEALTHY: Final = "RUN printf '#!/bin/sh\\nexit 1\\n' >/usr/libexec/mstunnel/healthcheck\n"

# It accepts devices, and reaches nothing behind itself.
_ISOLATED: Final = "RUN printf '#!/bin/sh\\nexit 7\\n' >/usr/bin/curl\n"

# Its TLS and its health are as they should be, and it takes every token for another user's.
_STRICT: Final = r"""
RUN sed -i 's|^ *ocserv --foreground .*|\
    sed s/3678c9e9-9681-447a-974d-d19f668fcd88/nobody/ /etc/mstunnel/oidc.json >/run/oidc.json;\
    sed s,/etc/mstunnel/oidc.json,/run/oidc.json, $configuration >/run/strict.conf;\
    ocserv --foreground --log-stderr --config /run/strict.conf \&|' /usr/libexec/mstunnel/entrypoint \
    && grep -q strict.conf /usr/libexec/mstunnel/entrypoint
"""

RECIPES: Final = {
    "gateway-next": ("gateway", "LABEL org.mstunnel.release=next\n"),
    "agent-next": ("agent", "LABEL org.mstunnel.release=next\n"),
    "gateway-crashing": ("gateway", 'ENTRYPOINT ["false"]\n'),
    "gateway-unhealthy": ("gateway", _UNHEALTHY),
    "gateway-silent": ("gateway", _SILENT),
    "gateway-isolated": ("gateway", _ISOLATED),
    "gateway-strict": ("gateway", _STRICT),
    "gateway-forged": ("gateway", "LABEL org.mstunnel.release=forged\n"),
}
"""Name of the variant -> the image it is made from, and what is different in it."""

SIGNED: Final = ("gateway-next", "agent-next")
"""Signed with the key whose public half every server of the testbed has."""
FORGED: Final = ("gateway-forged",)
"""Signed with another key."""


def digest() -> str:
    """A short hash that changes with the recipes."""
    return hashlib.sha256(repr((RECIPES, SIGNED, FORGED)).encode()).hexdigest()[:12]
