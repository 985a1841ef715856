"""The web pages: usable by a browser without scripts, safe against foreign forms."""

from html.parser import HTMLParser
from typing import Any

import pytest


class Form(HTMLParser):
    """Collects inputs and labels of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inputs: dict[str, dict[str, str | None]] = {}
        self.labels: set[str | None] = set()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag == "input":
            self.inputs[values["name"] or ""] = values
        if tag == "label":
            self.labels.add(values["for"])


@pytest.fixture
def code(lab: Any) -> str:
    form = {"client_id": lab.description["client_id"], "scope": "User.Read"}
    return str(lab.oauth("devicecode", form).json()["user_code"])


def test_every_input_has_a_label_and_no_script_runs(lab: Any, code: str) -> None:
    first = lab.session.get(lab.description["device_login"], params={"otc": code}, timeout=20)
    page = Form(first.text)
    assert page.inputs["code"]["value"] == code
    token = page.inputs["form_token"]["value"]
    second = lab.session.post(
        lab.description["device_login"], data={"code": code, "form_token": token}, timeout=20
    )
    for answer in (first, second):
        found = Form(answer.text)
        visible = {item["id"] for item in found.inputs.values() if item.get("type") != "hidden"}
        assert visible <= found.labels
        assert "script" not in found.tags
        assert 'name="viewport"' in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
    assert "User.Read" in second.text


def test_cookie_is_for_this_site_and_tls_only(lab: Any, trusting: Any) -> None:
    with trusting(lab.description["ca_file"]) as session:
        cookie = session.get(lab.description["device_login"], timeout=20).headers["set-cookie"].lower()
    assert {"secure", "httponly", "samesite=strict"} <= {part.strip() for part in cookie.split(";")}


@pytest.mark.parametrize("path", ["", "/account"])
def test_a_form_of_another_site_is_refused(lab: Any, code: str, trusting: Any, path: str) -> None:
    form = {
        "code": code,
        "upn": "admin@lab.example",
        "password": lab.password("admin"),
        "form_token": "0" * 64,
    }
    with trusting(lab.description["ca_file"]) as session:
        without_cookie = session.post(lab.description["device_login"] + path, data=form, timeout=20)
        session.get(lab.description["device_login"], timeout=20)
        wrong_token = session.post(lab.description["device_login"] + path, data=form, timeout=20)
    assert (without_cookie.status_code, wrong_token.status_code) == (403, 403)


@pytest.mark.parametrize("typed", ["*", "%", "", "?"])
def test_no_code_stands_for_any(lab: Any, code: str, typed: str) -> None:
    page = Form(lab.session.get(lab.description["device_login"], timeout=20).text)
    form = {"code": typed, "form_token": page.inputs["form_token"]["value"]}
    answer = lab.session.post(lab.description["device_login"], data=form, timeout=20)
    assert answer.status_code == 400
    assert code not in answer.text


def test_what_is_typed_is_shown_as_text(lab: Any) -> None:
    answer = lab.session.get(
        lab.description["device_login"], params={"otc": '"><script>x</script>'}, timeout=20
    )
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_the_style_sheet_is_one(lab: Any) -> None:
    sheet = lab.session.get(lab.description["graph"] + "/lab.css", timeout=20)
    assert sheet.headers["content-type"].startswith("text/css")
