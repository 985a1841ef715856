"""What people read about revocation in `status` and `health`."""

import pytest

from mstunnel_setup.cli.certificate_watch import certificate_lines
from mstunnel_setup.engine.values import JsonObject

_ASKED = "2026-11-25T09:41:27+00:00"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("good", "good, asked on 2026-11-25 09:41 UTC"),
        ("unreachable", "unreachable, asked on 2026-11-25 09:41 UTC"),
        ("not-offered", "the certificate names nobody to ask"),
    ],
)
def test_what_the_authority_said_last(state: str, said: str) -> None:
    answer: JsonObject = {"state": state, "asked": _ASKED, "problems": []}
    lines = certificate_lines({"days_left": 89, "revocation": answer, "pending": []})
    assert lines == [("Certificate", "89 days left"), ("Revocation", said)]
