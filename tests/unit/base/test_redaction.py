"""Redaction: known secrets are removed in every form, unknown ones if they look like a secret."""

import base64
import json
import shlex
import time
from functools import partial
from typing import Literal
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import assume, given
from hypothesis import strategies as st

from mstunnel_setup.base.redaction import LONGEST_LINE, STARS, Scrubber
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Processes
from tests.cases import every
from tests.parameters import sample
from tests.testbed.canary import forms, leaks

CANARIES = {
    f"canary {number}": f'Ca/nary+{number:02} of&"the\\test~{number}'.encode() for number in range(20)
}


def test_known_secrets_are_removed_in_every_form() -> None:
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


def _secrets(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=8, max_size=40).filter(lambda text: text.strip() == text)


# A person can type and see characters that `str.isprintable` accepts.
_HIDDEN: tuple[Literal["C", "Z"], ...] = ("C", "Z")
_ANYTHING = _secrets(st.characters(exclude_categories=_HIDDEN, include_characters=" "))
_NO_STARS = _secrets(
    st.characters(exclude_categories=_HIDDEN, include_characters=" ", exclude_characters="*")
)


@given(_ANYTHING)
def test_known_secret_is_removed_from_json_url_and_base64(secret: str) -> None:
    assume(set(secret) != {"*"})  # the replacement
    scrubber = Scrubber([secret.encode()])
    written = [
        json.dumps(secret, ensure_ascii=False),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
    ]
    for text in written:
        assert scrubber.holds(f"before {text} after")
        assert not scrubber.holds(scrubber.clean(f"before {text} after"))


def test_a_single_line_of_a_known_key_is_removed() -> None:
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
    "<password>Wonder</password>": "named secret",
    "<ns:userPassword type='text'>Wonder\n</ns:userPassword>": "named secret",
    "<password><![CDATA[Wonder<ful]]></password>": "named secret",
    "curl -u admin:Wonder/ful https://intranet/": "option",
    "curl -s -uadmin:Wonder https://intranet/": "option",
    "wget --user 'admin:Wonder with blanks' x": "option",
    "curl --proxy-user=admin:Wonder http://proxy": "option",
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


@every("text", LOOKS)
def test_text_that_looks_like_a_secret_is_removed(text: str) -> None:
    scrubber = Scrubber([])
    cleaned = scrubber.clean(f"before {text}")
    assert cleaned.startswith("before ")
    assert STARS in cleaned
    assert not [word for word in GIVEN_AWAY if word in cleaned]
    assert scrubber.counts[LOOKS[text]]


@every(
    "text",
    [
        "sent 1234 bytes to 10.0.0.1:443",
        "https://login.microsoftonline.com/organizations",
        "server-key = /etc/mstunnel/private/active/key.pem",
        '{"key": "file:/etc/mstunnel/env.sh", "exit code": 1}',
        "--passphrase-file /root/word",
        "Usage: x <password> [options]\n\nand more",
        "podman run --user 1000:1000 image",
        "journalctl -u mstunnel-server.service --since=10:00",
        "curl -u https://a/b x",
        "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "pulled docker://registry.example:5000/gateway@sha256:aaaa",
        "GET https://graph.microsoft.com/beta/users/someone@contoso.com",
    ],
)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert Scrubber([b"another-secret"]).clean(text) == text


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("rsa", PrivateFormat.PKCS8),
        ("rsa", PrivateFormat.TraditionalOpenSSL),
        ("ec", PrivateFormat.PKCS8),
    ],
)
def test_private_key_without_pem_markers_is_removed(kind: str, form: PrivateFormat) -> None:
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(Encoding.DER, form, NoEncryption())
    text = base64.b64encode(der).decode()
    assert Scrubber([]).clean(f"key is {text} here") == f"key is {STARS} here"


def _gone(secret: str, text: str) -> None:
    """Assert that redaction removes `secret` from `text`, although it is not registered."""
    assume(text.count(secret) == 1)
    cleaned = Scrubber([]).clean(text)
    assert secret not in cleaned
    assert STARS in cleaned


@given(_NO_STARS, st.sampled_from(["https_proxy=", "HTTP_PROXY: ", 'export http_proxy="', "'all_proxy': '"]))
def test_password_of_a_proxy_is_removed(secret: str, name: str) -> None:
    """Check unencoded passwords, which are usual in addresses."""
    _gone(secret, f"{name}http://user:{secret}@proxy.example:3128")
    _gone(secret, f"{name}user:{secret}@proxy.example:3128")


_IN_ADDRESS = _secrets(st.characters(exclude_categories=_HIDDEN, exclude_characters="*\"'<>"))


@given(_IN_ADDRESS, st.sampled_from(["user:", "", "DOMAIN\\user:", "user@domain:"]))
def test_password_in_an_address_is_removed(secret: str, user: str) -> None:
    colon = user or ":"  # a path with an @ in it is not a password
    _gone(secret, f"cannot reach http://{colon}{secret}@proxy.example:3128/path?x=1 now")
    slashes = json.dumps(f"http://{colon}{secret}@proxy.example").replace("/", "\\/")
    _gone(json.dumps(secret)[1:-1].replace("/", "\\/"), slashes)
    whole = quote(f"http://{colon}{secret}@proxy.example/", safe="")
    _gone(quote(secret, safe=""), f"GET /login?next={whole}&x=1")
    _gone(quote(secret, safe=""), f"to http://{user}{quote(secret, safe='')}@proxy.example")


@given(_NO_STARS, st.sampled_from(["password", "client_secret", "accessToken", "x-api-key", "credential"]))
def test_value_of_a_named_secret_in_json_is_removed(secret: str, name: str) -> None:
    for ascii_only in (True, False):
        write = partial(json.dumps, ensure_ascii=ascii_only)
        once, escaped = write({"a": 1, name: secret, "b": [2]}), write(secret)[1:-1]
        _gone(escaped, once)
        assert '"b": [2]' in Scrubber([]).clean(once)
        _gone(write(escaped)[1:-1], write({"message": once}))


@given(_NO_STARS, st.sampled_from(["PASSWORD", "RADIUS_SECRET", "MY_TOKEN_2"]))
def test_value_of_a_named_secret_in_settings_is_removed(secret: str, name: str) -> None:
    for written in (secret, shlex.quote(secret), f'"{secret}"'):
        _gone(secret, f"A=1\n{name}={written}\nB=2")
        assert Scrubber([]).clean(f"A=1\nexport {name}={written}\nB=2").endswith("\nB=2")


@given(_NO_STARS, st.sampled_from(["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie"]))
def test_value_of_a_secret_header_is_removed(secret: str, name: str) -> None:
    _gone(secret, f"> {name}: Scheme {secret}\n> Accept: */*")
    _gone(json.dumps(secret)[1:-1], json.dumps({name: f"Scheme {secret}"}))


@given(
    st.binary(min_size=30, max_size=200),
    st.sampled_from(["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "]),
    st.sampled_from(["\n", "\r\n", "\\n", ""]),
    st.integers(8, 76),
)
def test_pem_private_key_is_removed(content: bytes, kind: str, end: str, width: int) -> None:
    body = base64.b64encode(content).decode()
    lines = [body[at : at + width] for at in range(0, len(body), width)]
    head, tail = f"-----BEGIN {kind}PRIVATE KEY-----", f"-----END {kind}PRIVATE KEY-----"
    cleaned = Scrubber([]).clean(end.join(["before", head, *lines, tail, "after"]))
    assert not [line for line in lines if len(line) >= 8 and line in cleaned]
    assert "before" in cleaned
    assert "after" in cleaned


_MEGABYTE = 1_000_000
_PIECES = (
    *("a-", "a.", "eyJaaaaaaa-", "://", "://a:", "http://a", "_proxy=", "https_proxy=a@sha256:", "%3a%2f%2f"),
    *(
        "token",
        "token ",
        'token="',
        'token=\\"',
        "secret-",
        "_key ",
        "key=",
        " --token-",
        " -----",
        "[",
        "?a_",
    ),
    *("-----BEGIN ", "-----BEGIN A PRIVATE KEY-----", "MAAAA", "cookie", "authorization ", "Session : "),
    *("bearer ", "pass:", "password : ", "A", "\\", '"', "'", "=", " ", "\t", "@", "\n", "9Q~", "é", "x\n"),
)


@pytest.mark.parametrize("size", sample([_MEGABYTE // 8, _MEGABYTE], kept=(_MEGABYTE // 8,)))
@every("piece", _PIECES)
def test_redaction_of_a_megabyte_takes_seconds(piece: str, size: int) -> None:
    """Guard against quadratic patterns: a line of 40 kB once took a minute."""
    scrubber = Scrubber([b"a-secret-of-the-host", b"token-eyJaaaaaaa-", b"A" * 64])
    started = time.process_time()
    cleaned = scrubber.clean(piece * (size // len(piece)))
    assert time.process_time() - started < 8 * size / _MEGABYTE
    assert max(map(len, cleaned.splitlines()), default=0) < LONGEST_LINE + 60


def test_long_line_is_cut_with_a_note() -> None:
    cleaned = Scrubber([]).clean(f"{'x' * 20_000}\nshort\r\n")
    assert cleaned == f"{'x' * LONGEST_LINE} [{20_000 - LONGEST_LINE} characters cut]\nshort\n"


def test_no_part_of_a_secret_remains_at_the_cut() -> None:
    secret = "of-the-host/0123456789"
    cleaned = Scrubber([secret.encode()]).clean("x " * ((LONGEST_LINE - 10) // 2) + secret + " y" * 100)
    assert "of-the-host"[:6] not in cleaned


def test_error_that_quotes_a_program_has_no_password() -> None:
    with pytest.raises(ProcessError) as failed:
        Processes().run(["sh", "-c", "echo 'http://user:pass/word@proxy failed' >&2; exit 3"], timeout=60)
    with pytest.raises(ProcessError) as late:
        Processes().run(["sleep", "60", "http://user:pass/word@proxy"], timeout=0.1)
    assert "word" not in failed.value.message.replace("password", "")
    assert "word" not in late.value.message
