"""Web addresses: any text is validated, and none causes an exception."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.answers.address import is_web_address, web_address_problem
from tests.cases import every

GOOD = [
    "http://10.99.0.10/",
    "https://intranet.contoso.com/health?a=b@c#d",
    "https://[fd00::1]:8443/",
    "http://intranet",
    "http://intranet.contoso.com.:80/",
    "https://bücher.example/",
    f"http://a/{'b' * 2039}",
]
BAD = {
    "http://[fd00::1/": "cannot be read",
    "http://fd00::1]/": "cannot be read",
    "http://[::1]x/": "cannot be read",
    "http://a:99999/": "cannot be read",
    "http://a:port/": "cannot be read",
    "http://a:٣/": "cannot be read",
    "http://a:0/": "port does not exist",
    "http://:80/": "no host",
    "http:///path": "no host",
    "http://1.2.3/": "no host",
    "http://[v1.a]/": "no host",
    "http://-a-/": "no host",
    "http://user@a/": "user name or password",
    "http://user:secret@a/": "user name or password",
    "http://:secret@a/": "user name or password",
    "http://@a/": "user name or password",
    "http://a\\@b/": "characters",
    "http://a b/": "characters",
    "http://a/\n": "characters",
    "\thttp://a/": "characters",
    "http://a/\x00": "characters",
    'http://a/"': "characters",
    "http://a/\u2028": "characters",
    "http://a/\ud800": "characters",
    f"http://a/{'b' * 2040}": "longer than 2048",
    "ftp://a/": "not an http",
    "file:///etc/passwd": "not an http",
    "a": "not an http",
    "": "not an http",
}


@pytest.mark.parametrize("text", GOOD)
def test_valid_web_address_is_accepted(text: str) -> None:
    assert web_address_problem(text) == ""


@every("text, words", BAD.items())
def test_invalid_web_address_is_refused_with_reason(text: str, words: str) -> None:
    assert words in web_address_problem(text)
    assert not is_web_address(text)


PIECES = st.sampled_from(["http://", "https:", "//", "[", "]", ":", "@", "/", "fd00::1", "a", "%", "²", "\n"])


@given(st.one_of(st.text(), st.lists(PIECES | st.characters()).map("".join)))
def test_validation_never_raises_for_any_text(text: str) -> None:
    """An accepted address can be parsed, and has neither a user nor a control character."""
    if is_web_address(text):
        parts = urlsplit(text)
        assert parts.hostname
        assert (parts.username, parts.password) == (None, None)
        assert parts.port is None or 0 < parts.port < 65536
        assert text.isprintable()
