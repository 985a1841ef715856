"""A browser without a window, which follows forms and links of the lab's pages and keeps cookies."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import requests


@dataclass
class Page:
    """The contents of a page."""

    status: int
    address: str
    source: str
    policy: str
    fields: dict[str, str] = field(default_factory=dict)
    labelled: set[str] = field(default_factory=set)
    visible: set[str] = field(default_factory=set)
    tags: list[str] = field(default_factory=list)
    text: str = ""
    action: str = ""


def require_accessible(page: Page) -> None:
    """Assert that fields have labels and that the page fits a phone, without scripts and foreign styles."""
    assert page.status == 200
    assert page.visible <= page.labelled
    assert 'name="viewport"' in page.source
    assert "script" not in page.tags
    assert "style=" not in page.source
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._area = ""
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.page.tags.append(tag)
        if tag == "form":
            self.page.action = values.get("action", "")
        if tag == "label":
            self.page.labelled.add(values.get("for", ""))
        if tag in {"input", "textarea", "select"} and values.get("type") != "hidden":
            self.page.visible.add(values.get("id", ""))
        if tag == "input" and (values.get("type") != "checkbox" or "checked" in values):
            self.page.fields[values.get("name", "")] = values.get("value", "")
        self._area = values["name"] if tag == "textarea" else self._area
        self._select = values["name"] if tag == "select" else self._select
        if tag == "option" and "selected" in values and self._select:
            self.page.fields[self._select] = values["value"]

    def handle_data(self, data: str) -> None:
        self.page.text += data
        if self._area:
            self.page.fields[self._area] = self.page.fields.get(self._area, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.page.fields.setdefault(self._area, "")
            self._area = ""


class Pages:
    """A user's browser at a lab."""

    def __init__(self, description: dict[str, Any], session: requests.Session) -> None:
        self.description = description
        self.base = description["admin_center"].removesuffix("/admin")
        self.session = session
        self.page = Page(0, "", "", "")

    def open(self, path: str) -> Page:
        """Open a path, following redirects."""
        return self._read(self.session.get(self.base + path, timeout=20))

    def send(self, path: str | None = None, **changes: str) -> Page:
        """Submit the last form of the page with some fields changed; "" clears a check box."""
        where = path or self.page.action
        address = self.base + where if where else self.page.address
        fields = {name: value for name, value in {**self.page.fields, **changes}.items() if value != "-"}
        return self._read(self.session.post(address, data=fields, timeout=20))

    def fill(self, path: str, **changes: str) -> Page:
        """Open a form and submit it."""
        self.open(path)
        return self.send(**changes)

    @property
    def saved(self) -> str:
        """Return the id of the object whose page confirms that it was saved."""
        assert "Saved." in self.page.text, self.page.text
        return self.page.address.split("/")[-1].removesuffix("?saved")

    def sign_in(self, upn: str) -> Page:
        """Sign in to the admin center with the password (and code) of lab.json."""
        user = next(item for item in self.description["users"] if item["upn"] == upn)
        self.open("/admin/sign-in")
        page = self.send(upn=upn, password=user["password"])
        return self.send(verification_code=user["mfa_code"]) if "proof" in page.fields else page

    def _read(self, answer: requests.Response) -> Page:
        policy = answer.headers.get("content-security-policy", "")
        self.page = Page(answer.status_code, answer.url, answer.text, policy)
        _Reader(self.page).feed(answer.text)
        return self.page
