"""The check of a built site sees a link that leads nowhere."""

from pathlib import Path

import pytest

from scripts.docs.site.links import links


@pytest.mark.parametrize(
    ("element", "dead"),
    [
        ('<a href="page.html#step-1">x</a>', []),
        ('<a href="missing.html">x</a>', ["page.html: missing.html"]),
        ('<a href="#step-2">x</a>', ["page.html: #step-2"]),
        ('<script src="https://cdn.example/a.js"></script>', ["page.html: https://cdn.example/a.js"]),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, element: str, dead: list[str]) -> None:
    (tmp_path / "page.html").write_text(f'<p id="step-1">One</p>{element}')
    assert links(tmp_path).dead == dead
