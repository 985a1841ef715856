"""The links of a built site: those within it that lead nowhere, and those that lead out of it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

# What a browser loads automatically. It must be in the site, or readers without internet see half of it.
_LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}
_FOLLOWED = {("a", "href")}


@dataclass
class _Page(HTMLParser):
    """What a page names: its anchors, the links to follow, and what it loads."""

    text: str
    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for every element."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if value and (tag, name) in _LOADED:
                self.loaded.add(value)
            elif value and (tag, name) in _FOLLOWED:
                self.links.add(value)


@dataclass(frozen=True)
class Links:
    """`dead` as "PAGE: LINK", and the addresses elsewhere that `external` pages have; both sorted."""

    dead: list[str]
    external: list[str]


def links(site: Path) -> Links:
    """Read every page below `site`. A page that loads something from elsewhere counts it as dead."""
    pages = {path: _Page(path.read_text()) for path in site.rglob("*.html")}
    dead = [
        f"{path.relative_to(site)}: {link}"
        for path, page in pages.items()
        for link in page.links | page.loaded
        if (link in page.loaded if _is_external(link) else not _leads(path, link, pages))
    ]
    external = {link for page in pages.values() for link in page.links if _is_external(link)}
    return Links(sorted(dead), sorted(external))


def _is_external(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.scheme or parts.netloc)


def _leads(page: Path, link: str, pages: dict[Path, _Page]) -> bool:
    """Whether a link within the site finds its file, and there its anchor."""
    address, anchor = urldefrag(link)
    target = (page.parent / unquote(urlsplit(address).path)).resolve() if address else page
    if target not in pages:
        return target.is_file()
    return not anchor or unquote(anchor) in pages[target].anchors
