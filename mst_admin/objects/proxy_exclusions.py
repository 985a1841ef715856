"""Proxy exclusion lists: the entries that Android accepts, and their CSV form."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mstunnel_setup.answers.address import is_host, is_ip_address
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.text import text

_HEADS: Final = frozenset({"exclusion", "exclusions", "url", "proxyexclusionlist", "address", "value"})


def judge_exclusions(entries: Iterable[str]) -> Iterator[Finding]:
    """Return findings about entries that are not in a format documented by the vendor."""
    seen: set[str] = set()
    for entry in entries:
        reason = _reason(entry)
        if reason:
            yield finding(
                "proxy_exclusions",
                "exclusion-malformed",
                "“{entry}”: {reason}",
                hint="Write sub.contoso.com, *.contoso.com, or an IPv4 or IPv6 address.",
                entry=entry[:80],
                reason=reason,
            )
        elif entry.casefold() in seen:
            yield finding(
                "proxy_exclusions",
                "exclusion-repeated",
                "“{entry}” is listed more than once",
                hint="Remove one of them.",
                fatal=False,
                entry=entry,
            )
        seen.add(entry.casefold())


def _reason(entry: str) -> str:
    """Return the reason why an entry is invalid; empty if it is valid."""
    name = entry.removeprefix("*.")
    if is_ip_address(entry) or ("." in name and is_host(name) and not is_ip_address(name)):
        return ""
    if entry.startswith("*.") and "*" not in name and "." not in name:
        return text("a wildcard must stand before a whole domain, as in *.contoso.com")
    return next(reason for mark, reason in _REASONS if mark in entry)


_REASONS: Final = (
    ("/", text("it must be a host, without scheme, path or prefix length")),
    (";", text("it is more than one entry")),
    (",", text("it is more than one entry")),
    ("*", text("a wildcard may only stand for the first label, as in *.contoso.com")),
    (":", text("it must not have a port")),
    ("", text("it is neither a full host name nor an IP address")),
)
"""Texts that make an entry invalid, with the reason to report."""


def read_csv(text: str) -> tuple[str, ...]:
    """Return the entries of a CSV file: every cell of every line, except a header.

    Raises csv.Error if the text is not CSV.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    # Spreadsheets write semicolons in much of Europe; no entry contains one.
    delimiter = ";" if ";" in text else ","
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    if rows and rows[0] and rows[0][0].replace(" ", "").casefold() in _HEADS:
        rows = rows[1:]
    return tuple(cell for row in rows for cell in row if cell)


def write_csv(entries: Sequence[str]) -> str:
    """Return the entries as a CSV file, one on each line, without header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([entry] for entry in entries)
    return stream.getvalue()
