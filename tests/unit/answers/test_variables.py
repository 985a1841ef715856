"""Variables in `env.sh`: values that the gateway can use are accepted, all others are refused."""

import pytest

from mstunnel_setup.answers.variables import refuse_wrong, without_login
from mstunnel_setup.base.errors import UsageError
from tests.cases import every

GOOD = {
    "CLIENT_TO_CLIENT": ("", "true", "false"),
    "DEBUG_LEVEL": ("", "0", "4"),
    "TRACE_SESSIONS": ("", "0", "1", "2"),
    "LOG_FORMAT": ("", "text", "json"),
    "https_proxy": (
        "",
        "http://proxy.example.com:3128",
        "https://proxy",
        "HTTP://proxy:8080/",
        "proxy.example.com:3128",
        "http://user:p%40ss@10.0.0.1:3128",
        "http://[2001:db8::1]:3128",
    ),
    "HTTP_PROXY": ("http://proxy:3128",),
    "no_proxy": ("localhost, 10.0.0.0/8", "*"),
    "ANYTHING": ("else at all",),
}
BAD = {
    "CLIENT_TO_CLIENT": ("1", "yes", "True"),
    "DEBUG_LEVEL": ("9", "99", "abc", "-1", "1.5", "\u0661", "0x1"),
    "TRACE_SESSIONS": ("3", "true", "1 "),
    "LOG_FORMAT": ("JSON", "yaml", "1"),
    "https_proxy": (
        "foo",
        "foo bar",
        "http://",
        "http://foo bar:1",
        "ftp://proxy:21",
        "http://p:1/x",
        ":3128",
    ),
    "HTTP_PROXY": ("foo",),
}


def pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, value) for name, values in table.items() for value in values]


def is_refused(name: str, value: str) -> bool:
    try:
        refuse_wrong(name, value)
    except UsageError:
        return True
    return False


@every("name, value", pairs(GOOD))
def test_valid_variable_is_accepted(name: str, value: str) -> None:
    assert not is_refused(name, value)


@every("name, value", pairs(BAD))
def test_invalid_variable_is_refused(name: str, value: str) -> None:
    assert is_refused(name, value)


def test_error_does_not_repeat_password_of_a_proxy() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_wrong("https_proxy", "http://user:hunter2@proxy:port")
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("proxy", "address", "login"),
    [
        ("http://proxy:3128", "http://proxy:3128", ""),
        ("proxy:3128", "proxy:3128", ""),
        ("http://user:p%40ss@proxy:3128", "http://proxy:3128", "user:p%40ss"),
        ("user:secret@proxy:3128", "proxy:3128", "user:secret"),
        ("http://user:a//b@c@proxy:3128", "http://proxy:3128", "user:a//b@c"),
        ("user:a://b@proxy:3128", "proxy:3128", "user:a://b"),
        ("", "", ""),
    ],
)
def test_proxy_is_split_into_address_and_login(proxy: str, address: str, login: str) -> None:
    assert without_login(proxy) == (address, login)
