"""How Sphinx makes the site. Its source is the repository: links between pages stay as they are on GitHub.

Only the environment of requirements/docs.txt has Sphinx; `python -m scripts.docs.site` calls it there.
"""

import html
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).parents[3]
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
html_copy_source = False
# For its excerpts Sphinx fetches pages, which a browser refuses for files. site.js shows those of texts.js.
html_show_search_summary = False


def _read(app: Any, page: nodes.document) -> None:
    """Make `<a id="…">` known to links and search, and diagrams what Mermaid draws in the browser."""
    known = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for node in list(page.findall(nodes.raw)):
        for name in re.findall(r'<a id="([^"]+)">', node.astext()):
            known.setdefault(name, (0, name, ""))
            if _is_row(node, name):
                node.parent.insert(0, addnodes.index(entries=[("single", name, name, "main", None)]))
    for node in list(page.findall(nodes.literal_block)):
        if node.get("language") == "mermaid":
            drawn = f'<pre class="mermaid">{html.escape(node.astext())}</pre>'
            node.replace_self(nodes.raw("", drawn, format="html"))


def _is_row(anchor: nodes.raw, name: str) -> bool:
    """Whether the code that the anchor names is described here: its cell has the code, and no link."""
    codes = [each.astext() for each in anchor.parent.findall(nodes.literal)]
    return codes == [name] and not any(anchor.parent.findall(nodes.reference))


def _write_texts(app: Any, failure: Exception | None) -> None:
    """Write the text of each page for the excerpts of the search, a line for each block or row of a table."""
    if failure:
        return
    texts = {page: "\n".join(_lines(app.env.get_doctree(page))) for page in sorted(app.env.found_docs)}
    written = f"window.pageTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / "_static/texts.js").write_text(written)


def _lines(page: nodes.document) -> Iterator[str]:
    for row in list(page.findall(nodes.row)):
        row.replace_self(nodes.paragraph("", " · ".join(filter(None, map(_plain, row.children)))))
    for block in page.findall(nodes.TextElement):
        if not isinstance(block, nodes.Inline | nodes.comment):
            yield _plain(block)


def _plain(node: nodes.Node) -> str:
    texts = (text for text in node.findall(nodes.Text) if not isinstance(text.parent, nodes.raw))
    return " ".join("".join(texts).split())


def _speak(_app: Any, page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Name the language of a page: screen readers and browsers follow it."""
    if page.endswith(".ja"):
        context["language"] = "ja"


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("doctree-read", _read)
    app.connect("html-page-context", _speak)
    app.connect("build-finished", _write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
