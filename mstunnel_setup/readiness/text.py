"""Small readings and wordings that several checks share."""

from urllib.parse import urlsplit


def gigabytes(size: int) -> str:
    """A size in bytes for people, in units of 10^9 bytes."""
    return f"{size / 10**9:.1f} GB"


def proxy_place(url: str) -> tuple[str, int] | None:
    """Host and port of a proxy's address; None when it is no address."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port or (443 if parts.scheme == "https" else 80)) if host else None


def bypassed(host: str, no_proxy: str) -> bool:
    """Whether `no_proxy` (names, domains, addresses, separated by commas) names the host."""
    names = (item.strip().lower().removeprefix("*").lstrip(".") for item in no_proxy.split(","))
    wanted = host.lower()
    return no_proxy.strip() == "*" or any(
        name and (wanted == name or wanted.endswith(f".{name}")) for name in names
    )
