"""How Sphinx makes the site. Its source is the repository: links between pages stay as they are on GitHub.

Only the environment of requirements/docs.txt has Sphinx; `python -m scripts.site` calls it there.
"""

import html
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from mstunnel_setup import __version__  # noqa: E402 (found by the line before)

project = "mstunnel-setup"
author = copyright = "The authors of mstunnel-setup"  # noqa: A001 (Sphinx names it so)
version = release = __version__
root_doc = "docs/index"
# Pages for people: what the repository has at its root, the documentation, and the page of a directory.
# Those of the tests are for people who have the tests before them.
include_patterns = ["*.md", "docs/**.md", "**/README.md"]
exclude_patterns = [
    *(".*", "build", "dist", "**/node_modules", "changelog.d", "docs/images", "tests"),
    # Parts of other pages.
    "docs/reference/tables",
]

extensions = ["myst_parser", "sphinx_copybutton"]
myst_heading_anchors = 6
# An option is copied as it is typed.
smartquotes = False
highlight_language = "bash"
# Of a console, only the commands are copied.
copybutton_prompt_text = "$ "
# Pages of other directories are reached from the guides.
suppress_warnings = ["toc.not_included"]

html_theme = "furo"
html_title = f"mstunnel-setup {version}"
html_static_path = ["static", "node_modules/@mermaid-js/tiny/dist"]
html_css_files = ["site.css"]
html_js_files = ["mermaid.tiny.js", "site.js"]
html_favicon = "static/favicon.svg"
html_show_sphinx = False
# Excerpts beside what the search finds come from the sources; opened as files, the pages show none.
html_copy_source = True
html_show_search_summary = True


def _read(app: Any, page: nodes.document) -> None:
    """Make links to `<a id="…">` known, and diagrams of Mermaid what its program draws in the browser."""
    known = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for node in page.findall(nodes.raw):
        for name in re.findall(r'<a id="([^"]+)">', node.astext()):
            known.setdefault(name, (0, name, ""))
    for node in list(page.findall(nodes.literal_block)):
        if node.get("language") == "mermaid":
            drawn = f'<pre class="mermaid">{html.escape(node.astext())}</pre>'
            node.replace_self(nodes.raw("", drawn, format="html"))


def _speak(_app: Any, page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Name the language of a page: screen readers and browsers follow it."""
    if page.endswith(".ja"):
        context["language"] = "ja"


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", _read)
    app.connect("html-page-context", _speak)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
