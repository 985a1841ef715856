"""A real CA on loopback: the openssl command issues and revokes certificates and answers OCSP requests."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from cryptography import x509

from tests.serving import Answer, Request, answering, free_port

_CONFIGURATION = """
[ca]
default_ca = this
[this]
database = {directory}/index.txt
serial = {directory}/serial
crlnumber = {directory}/crlnumber
new_certs_dir = {directory}
certificate = {directory}/ca.pem
private_key = {directory}/ca.key
default_md = sha256
default_days = 90
default_crl_days = 7
policy = any
unique_subject = no
[any]
commonName = supplied
[request]
distinguished_name = name
[name]
[server]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:{name}
authorityInfoAccess = OCSP;URI:http://{host}:{ocsp_port}
crlDistributionPoints = URI:http://{host}:{crl_port}/ca.crl
[responder]
basicConstraints = critical,CA:false
extendedKeyUsage = OCSPSigning
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
"""


@dataclass
class Authority:
    """A CA of the openssl command in `directory`.

    Its certificates name two ports (OCSP, CRL), which listen only inside `responding` and `serving_list`.
    """

    directory: Path
    host: str = "127.0.0.1"
    name: str = "vpn.example.org"
    ocsp_port: int = field(default_factory=free_port)
    crl_port: int = field(default_factory=free_port)
    key: tuple[str, ...] = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")

    def __post_init__(self) -> None:
        ports = {"ocsp_port": self.ocsp_port, "crl_port": self.crl_port}
        text = _CONFIGURATION.format(directory=self.directory, host=self.host, name=self.name, **ports)
        (self.directory / "openssl.cnf").write_text(text)
        (self.directory / "index.txt").touch()
        (self.directory / "serial").write_text("1000\n")
        (self.directory / "crlnumber").write_text("01\n")
        self._request("ca", "Authority")
        files = ["-in", "ca.csr", "-key", "ca.key", "-out", "ca.pem"]
        self.openssl(
            "x509", "-req", *files, "-days", "365", "-extfile", "openssl.cnf", "-extensions", "authority"
        )
        self.issue("responder", "responder")

    @property
    def certificate(self) -> x509.Certificate:
        return self.read("ca")

    def issue(self, name: str, kind: str = "server", *how: str, known: bool = True) -> x509.Certificate:
        """Issue a certificate with the options `how` of `openssl ca`; unless `known`, drop its record."""
        before = (self.directory / "index.txt").read_text()
        self._request(name, name)
        files = ["-in", f"{name}.csr", "-out", f"{name}.pem"]
        self.openssl("ca", "-batch", "-notext", "-config", "openssl.cnf", "-extensions", kind, *files, *how)
        if not known:
            (self.directory / "index.txt").write_text(before)
        return self.read(name)

    def revoke(self, name: str, reason: str = "keyCompromise") -> None:
        self.openssl("ca", "-config", "openssl.cnf", "-revoke", f"{name}.pem", "-crl_reason", reason)

    def write_list(self, *how: str) -> bytes:
        """Write and return the current CRL in DER; `how` are options of `openssl ca` for its signature."""
        self.openssl("ca", "-config", "openssl.cnf", "-gencrl", "-out", "ca.crl.pem", *how)
        self.openssl("crl", "-in", "ca.crl.pem", "-outform", "DER", "-out", "ca.crl")
        return (self.directory / "ca.crl").read_bytes()

    def read(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.directory / f"{name}.pem").read_bytes())

    @contextmanager
    def responding(self, signer: str = "responder", *how: str) -> Iterator[None]:
        """Run `openssl ocsp` as the responder; `how` are its options for the signature."""
        files = f"-index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key".split()
        command = ["openssl", "ocsp", "-port", str(self.ocsp_port), *files, "-ndays", "1", *how]
        process = subprocess.Popen(
            command, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        try:
            # The responder serves one connection at a time, so probing its port would keep it busy.
            assert process.stdout.readline().startswith("ACCEPT")
            yield
        finally:
            process.terminate()
            process.stdout.close()
            process.wait()

    @contextmanager
    def serving_list(self) -> Iterator[None]:
        """Serve the current CRL by HTTP."""
        self.write_list()

        def answer(request: Request) -> Answer | None:
            return (
                Answer(200, (self.directory / "ca.crl").read_bytes()) if request.path == "/ca.crl" else None
            )

        with answering(answer, port=self.crl_port):
            yield

    def openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def _request(self, name: str, common_name: str) -> None:
        key = ["-newkey", *self.key, "-nodes", "-keyout", f"{name}.key"]
        subject = ["-subj", f"/CN={common_name}", "-config", "openssl.cnf", "-section", "request"]
        self.openssl("req", "-new", *key, *subject, "-out", f"{name}.csr")


@contextmanager
def forward_proxy(port: int, asked: list[str]) -> Iterator[None]:
    """Run an HTTP proxy that forwards every request to loopback and records its URL in `asked`."""

    def forward(request: Request) -> Answer:
        asked.append(request.path)
        url = urlsplit(request.path)
        where = f"http://127.0.0.1:{url.port}{url.path or '/'}"
        headers = {"Content-Type": request.headers.get("Content-Type", "")}
        body = request.body if request.method == "POST" else None
        try:
            with build_opener(ProxyHandler({})).open(urllib.request.Request(where, body, headers)) as answer:
                return Answer(200, answer.read())
        except OSError:
            return Answer(502, b"")

    with answering(forward, port=port):
        yield
