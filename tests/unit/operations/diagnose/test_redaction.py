"""Secrets leave no text of ours: those that are known in every form, those that look like one as they are."""

import base64
import json
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.operations.diagnose.redaction import STARS, Scrubber
from tests.testbed.canary import forms, leaks

CANARIES = {
    f"canary {number}": f'Ca/nary+{number:02} of&"the\\test~{number}'.encode() for number in range(20)
}


def test_twenty_known_secrets_in_every_form_are_gone() -> None:
    scrubber = Scrubber(CANARIES.values())
    for secret in CANARIES.values():
        # UTF-16 text arrives with NUL characters between its letters.
        text = "\n".join(
            f"line {form} end" for form in (item.decode("latin-1") for item in forms(secret).values())
        )
        cleaned = scrubber.clean(text)
        assert leaks(CANARIES, {"text": cleaned.encode()}) == []
        assert cleaned.count("line ") == cleaned.count(" end") == len(forms(secret))
    assert scrubber.counts["known secret"] >= 20 * 6


@given(st.text(min_size=8, max_size=40).filter(lambda text: text.strip() == text and text.isprintable()))
def test_any_secret_in_json_url_and_base64_is_gone(secret: str) -> None:
    scrubber = Scrubber([secret.encode()])
    written = [
        json.dumps(secret, ensure_ascii=False),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
    ]
    for text in written:
        assert scrubber.holds(f"before {text} after")
        assert not scrubber.holds(scrubber.clean(f"before {text} after"))


def test_one_line_of_a_key_is_too_much() -> None:
    body = base64.b64encode(bytes(range(96))).decode()
    key = f"-----BEGIN PRIVATE KEY-----\n{body[:64]}\n{body[64:]}\n-----END PRIVATE KEY-----\n"
    scrubber = Scrubber([key.encode()])
    assert body[:64] not in scrubber.clean(f"log: {body[:64]}")
    assert body[64:] not in scrubber.clean(f"log: {body[64:]}")


LOOKS = {
    "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----": "private key",
    "-----BEGIN PRIVATE KEY-----\nMHcCAQEE cut off": "private key",
    "Authorization: Bearer 0123456789abcdef": "header",
    "sent Bearer 0123456789abcdef": "authorization",
    "Proxy-Authorization: NTLM TlRMTVNTUAAB AbCdEf": "header",
    "Set-Cookie: one=1; ESTSAUTH=QUJDREVG; secure": "header",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nMHcCAQEE\n-----END PGP PRIVATE KEY BLOCK-----": "private key",
    "https_proxy=user:word@proxy:3128": "address with password",
    "HTTPS_PROXY: 'user:word@proxy:3128'": "address with password",
    "GET /callback?session=1&code=0.AXwonderful&state=ok": "address with code",
    "https://logs.blob.core.windows.net/a?sv=2024&sig=Wonder%2Fful": "address with code",
    "RADIUS_KEY=Wonder/ful": "named key",
    "shared-key: 'with blanks in it'": "named key",
    "passphrase: three blanks in it": "passphrase",
    "openssl pkcs12 -passin pass:Wonder": "option",
    "curl --proxy-password Wonder http://proxy": "option",
    "Invalid secret abc8Q~Wonder.0123456789012345678901234567": "client secret",
    '{"device_code": "GwonderfulWonder"}': "named secret",
    "token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln": "token",
    "https_proxy=http://user:word@proxy:3128": "address with password",
    "client_secret=Wonder/ful": "named secret",
    '{"password": "with blanks in it"}': "named secret",
    "Cookie: webvpn=QUJDREVG": "header",
    '"Full session":  "r05AcXxwhqFIA8VP+vxVWQxUBqE="': "session",
}
GIVEN_AWAY = (
    "MHcCAQEE",
    "0123456789abcdef",
    "eyJzdWIi",
    "word@",
    "Wonder",
    "blanks",
    "QUJDREVG",
    "r05AcX",
    "TlRMTV",
    "AbCdEf",
    "wonderful",
)


@pytest.mark.parametrize("text", LOOKS)
def test_what_looks_like_a_secret_goes(text: str) -> None:
    scrubber = Scrubber([])
    cleaned = scrubber.clean(f"before {text}")
    assert cleaned.startswith("before ")
    assert STARS in cleaned
    assert not [word for word in GIVEN_AWAY if word in cleaned]
    assert scrubber.counts[LOOKS[text]]


@pytest.mark.parametrize(
    "text",
    [
        "sent 1234 bytes to 10.0.0.1:443",
        "https://login.microsoftonline.com/organizations",
        "server-key = /etc/mstunnel/private/active/key.pem",
        '{"key": "file:/etc/mstunnel/env.sh", "exit code": 1}',
        "--passphrase-file /root/word",
        "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert Scrubber([b"another-secret"]).clean(text) == text


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("rsa", PrivateFormat.PKCS8),
        ("rsa", PrivateFormat.TraditionalOpenSSL),
        ("ec", PrivateFormat.PKCS8),
    ],
)
def test_a_key_without_the_lines_around_it_goes(kind: str, form: PrivateFormat) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(Encoding.DER, form, NoEncryption())
    text = base64.b64encode(der).decode()
    assert Scrubber([]).clean(f"key is {text} here") == f"key is {STARS} here"
