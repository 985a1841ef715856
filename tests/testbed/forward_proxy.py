"""Runs on the lab's machine: a plain HTTP proxy that finds every name on its own machine.

`forward_proxy.py PORT LOG` notes each address it was asked for in LOG.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

LOG = Path(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    """Fetches what it is asked for from the port named in the address, here."""

    def do_GET(self) -> None:
        """Fetch."""
        self._forward(None)

    def do_POST(self) -> None:
        """Fetch with a body."""
        self._forward(self.rfile.read(int(self.headers["Content-Length"])))

    def _forward(self, body: bytes | None) -> None:
        with LOG.open("a") as log:
            log.write(f"{self.path}\n")
        url = urlsplit(self.path)
        headers = {"Content-Type": self.headers.get("Content-Type", "")}
        request = Request(f"http://127.0.0.1:{url.port}{url.path or '/'}", body, headers)
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=5) as answer:
                content = answer.read()
        except (URLError, OSError):
            self.send_error(502)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
