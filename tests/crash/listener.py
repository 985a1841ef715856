"""What listens where the server's container does."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any


class Listener:
    """A TLS server that shows the leaf in a configuration directory."""

    def __init__(self, port: int, server: dict[str, Any]) -> None:
        self.server = server
        self._directory = Path(server["directory"]) / "private/active"
        self._socket = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes up the thread, which closes the socket: closing it here would not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _address = self._socket.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError):
                plain.settimeout(5)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self._directory / "chain.pem", self._directory / "key.pem")
                with context.wrap_socket(plain, server_side=True) as wrapped:
                    wrapped.recv(1)
