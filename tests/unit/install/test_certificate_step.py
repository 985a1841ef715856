"""The step waits for a usable certificate, and never returns to an older one automatically."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    pkcs12,
)

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, SetupError, WaitingError
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.load import fingerprint, load_identity
from mstunnel_setup.install.context import Context, Gathered
from mstunnel_setup.install.steps.certificate import STEP, Certificate
from mstunnel_setup.transaction.receipt import Receipt
from tests.unit.certificates.pki import NOW, Pki, key_bytes, private_key
from tests.unit.clocks import FakeClock
from tests.unit.fakes import ports_of
from tests.unit.install.scenes import FakePrompter

PKI = Pki({"old": {"start": -60, "days": 80}, "over": {"start": -60, "days": 30}})
ROOT = PKI.pem("inter") + PKI.pem("root")


class Clock(FakeClock):
    """Every sleep runs the next action."""

    def sleep(self, seconds: float) -> None:
        assert self.during, "it waits for ever"
        super().sleep(seconds)


@dataclass
class Host:
    root: Path
    clock: Clock = field(default_factory=lambda: Clock(NOW))
    prompter: FakePrompter = field(default_factory=FakePrompter)

    def place(self, path: str, content: bytes) -> None:
        where = self.root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content)

    def put(self, name: str, key: str = "p256") -> None:
        self.place(paths.SITE_CERTIFICATE, PKI.pem(name) + ROOT)
        self.place(paths.SITE_KEY, key_bytes(key))

    def put_pfx(self, passphrase: str) -> None:
        protection = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        leaf, *others = x509.load_pem_x509_certificates(PKI.pem("leaf") + ROOT)
        key = private_key("p256")
        pfx = pkcs12.serialize_key_and_certificates(None, key, leaf, others, protection)
        self.place(paths.SITE_PFX, pfx)

    def use(self, name: str) -> str:
        """Have the certificate `name` in use, as an earlier run would."""
        used = fingerprint(load_identity(PKI.pem(name) + ROOT, key_bytes("p256")))
        directory = generations.directory(used)
        self.place(f"{directory}/chain.pem", PKI.pem(name) + PKI.pem("inter"))
        self.place(f"{directory}/root.pem", PKI.pem("root"))
        self.place(f"{directory}/key.pem", key_bytes("p256"))
        (self.root / paths.ACTIVE.lstrip("/")).symlink_to(generations.target(used))
        return used

    def gather(self) -> Certificate:
        gathered = Gathered(merge({}, {}))
        context = Context(
            ports=replace(ports_of(self.root, clock=self.clock), passphrases=lambda _: gathered.typed()),
            gathered=gathered,
            prompter=self.prompter,
            read_receipt=Receipt,
            protect=lambda _secret: None,
            host_name="gw",
        )
        found = STEP.gather(context)
        assert isinstance(found, Certificate)
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def name_of(found: Certificate) -> bytes:
    return found.identity.leaf.public_bytes(Encoding.PEM)


def test_it_is_taken_as_soon_as_it_is_complete_and_valid(host: Host) -> None:
    host.prompter.meanwhile = [
        lambda: None,
        lambda: host.place(paths.SITE_CERTIFICATE, PKI.pem("leaf")[:300]),
        lambda: host.place(paths.SITE_KEY, key_bytes("p256")),
        lambda: None,
        lambda: host.put("over"),
        lambda: host.put("leaf"),
    ]
    assert name_of(host.gather()) == PKI.pem("leaf")
    waiting, scope, over, private = host.prompter.said
    for place in (paths.SITE_CERTIFICATE, paths.SITE_KEY, paths.SITE_PFX):
        assert place in waiting
    assert scope.startswith("Not usable yet: ")
    assert "expired on" in over
    assert "Give devices the whole chain" in private


def test_a_file_that_cannot_be_read_yet_is_waited_for(host: Host) -> None:
    """As a key is that root copied for the account of a rootless gateway; here it is a directory."""
    key = host.root / paths.SITE_KEY.lstrip("/")
    host.prompter.meanwhile = [
        lambda: host.place(paths.SITE_CERTIFICATE, PKI.pem("leaf")),
        lambda: key.mkdir(parents=True),
        key.rmdir,
        lambda: host.put("leaf"),
    ]
    assert name_of(host.gather()) == PKI.pem("leaf")
    assert f"Not usable yet: cannot read {key}" in host.prompter.said[1]


def test_unattended_it_stops_and_names_the_places(host: Host) -> None:
    host.prompter.interactive = False
    with pytest.raises(WaitingError) as caught:
        host.gather()
    assert (caught.value.code, caught.value.exit_code) == ("certificate-awaited", 11)
    assert paths.SITE_PFX in caught.value.message


def test_a_newer_one_at_the_usual_place_is_taken(host: Host) -> None:
    host.use("old")
    host.put("leaf")
    assert name_of(host.gather()) == PKI.pem("leaf")


@pytest.mark.parametrize("older", ["old", "over"])
def test_an_older_one_is_left_alone(host: Host, older: str) -> None:
    used = host.use("leaf")
    host.put(older)
    found = host.gather()
    assert (found.fingerprint, found.copies) == (used, ())
    assert "older than the one in use" in host.prompter.said[0]


def test_what_is_in_use_goes_on_when_its_files_are_gone(host: Host) -> None:
    used = host.use("leaf")
    assert host.gather().fingerprint == used


def test_one_that_is_over_is_refused_when_nothing_is_in_use(host: Host) -> None:
    host.put("over")
    with pytest.raises(SetupError) as caught:
        host.gather()
    assert isinstance(caught.value, CertificateError)
    assert caught.value.code == "expired"


def test_an_unneeded_passphrase_is_not_asked_for(host: Host) -> None:
    host.put_pfx("")
    assert name_of(host.gather()) == PKI.pem("leaf")


def test_a_wrong_passphrase_is_reported_and_can_be_corrected(host: Host) -> None:
    host.put_pfx("right")
    host.prompter.typed = ["wrong", "Right", "right"]
    assert name_of(host.gather()) == PKI.pem("leaf")
    assert host.prompter.typed == []
    assert [text for text in host.prompter.said if "does not open" in text] == host.prompter.said[:2]


def test_three_wrong_passphrases_end_the_run(host: Host) -> None:
    host.put_pfx("right")
    host.prompter.typed = ["1", "2", "3", "right"]
    with pytest.raises(CertificateError) as caught:
        host.gather()
    assert (caught.value.code, host.prompter.typed) == ("pfx-passphrase-wrong", ["right"])


def test_unattended_a_missing_passphrase_is_an_error(host: Host) -> None:
    host.put_pfx("right")
    host.prompter.interactive = False
    with pytest.raises(CertificateError) as caught:
        host.gather()
    assert caught.value.code == "pfx-passphrase-missing"
