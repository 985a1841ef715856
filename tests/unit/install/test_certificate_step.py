"""The step waits for a usable certificate, and never returns to an older one automatically."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.load import fingerprint, load_identity
from mstunnel_setup.install.steps.certificate import STEP, Certificate
from tests.refusals import refused
from tests.testbed.certificates import as_pfx
from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.install.scenes import Scene

PKI = Pki({"old": {"start": -60, "days": 80}, "over": {"start": -60, "days": 30}})
ROOT = PKI.pem("inter") + PKI.pem("root")


class Host(Scene):
    """A scene with certificates at the usual paths or in use."""

    def place(self, path: str, content: bytes) -> None:
        self.write(path, content).chmod(0o600)

    def put(self, name: str, key: str = "p256") -> None:
        self.place(paths.SITE_CERTIFICATE, PKI.pem(name) + ROOT)
        self.place(paths.SITE_KEY, key_bytes(key))

    def put_pfx(self, passphrase: bytes) -> None:
        self.place(paths.SITE_PFX, as_pfx(PKI.pem("leaf") + ROOT, key_bytes("p256"), passphrase))

    def use(self, name: str) -> str:
        """Put the certificate `name` into use, as an earlier run would."""
        used = fingerprint(load_identity(PKI.pem(name) + ROOT, key_bytes("p256")))
        directory = generations.directory(used)
        self.place(f"{directory}/chain.pem", PKI.pem(name) + PKI.pem("inter"))
        self.place(f"{directory}/root.pem", PKI.pem("root"))
        self.place(f"{directory}/key.pem", key_bytes("p256"))
        self.files.locate(paths.ACTIVE).symlink_to(generations.target(used))
        return used

    def gather(self, **answers: object) -> Certificate:
        return STEP.gather(self.opened(**answers))


@pytest.fixture
def host(scene: Scene) -> Host:
    return Host(scene.root)


def name_of(found: Certificate) -> bytes:
    return found.identity.leaf.public_bytes(Encoding.PEM)


def test_certificate_is_used_once_complete_and_valid(host: Host) -> None:
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


def test_unreadable_file_is_awaited(host: Host) -> None:
    """Root may have copied a key that the account cannot read yet; here a directory stands for it."""
    key = host.root / paths.SITE_KEY.lstrip("/")
    host.prompter.meanwhile = [
        lambda: host.place(paths.SITE_CERTIFICATE, PKI.pem("leaf")),
        lambda: key.mkdir(parents=True),
        key.rmdir,
        lambda: host.put("leaf"),
    ]
    assert name_of(host.gather()) == PKI.pem("leaf")
    assert f"Not usable yet: cannot read {key}" in host.prompter.said[1]


@pytest.mark.parametrize("older", ["old", "over"])
def test_older_certificate_is_ignored(host: Host, older: str) -> None:
    used = host.use("leaf")
    host.started()
    host.put(older)
    found = host.gather()
    assert (found.fingerprint, found.copies) == (used, ())
    assert "ends before the one in use" in host.prompter.said[0]


def test_certificate_stays_in_use_when_its_files_are_gone(host: Host) -> None:
    used = host.use("leaf")
    assert host.gather().fingerprint == used


@pytest.mark.parametrize(("used", "put"), [("old", "leaf"), ("leaf", "old")], ids=["newer", "older"])
def test_unused_certificate_is_replaced_even_by_an_older_one(host: Host, used: str, put: str) -> None:
    """The wrong certificate of the first run expires a little later than the right one."""
    host.use(used)
    host.put(put)
    assert name_of(host.gather()) == PKI.pem(put)
    assert not any("older" in text for text in host.prompter.said)


def test_older_certificate_named_by_an_option_is_used(host: Host) -> None:
    host.use("leaf")
    host.started()
    host.put("old")
    chain, key = (str(host.root / place.lstrip("/")) for place in (paths.SITE_CERTIFICATE, paths.SITE_KEY))
    found = host.gather(certificate__chain=[chain], certificate__key=key)
    assert name_of(found) == PKI.pem("old")


def test_a_wrong_passphrase_is_reported_and_can_be_corrected(host: Host) -> None:
    host.put_pfx(b"right")
    host.prompter.typed = ["wrong", "Right", "right"]
    assert name_of(host.gather()) == PKI.pem("leaf")
    assert host.prompter.typed == []
    assert [text for text in host.prompter.said if "does not open" in text] == host.prompter.said[:2]


def test_after_three_wrong_passphrases_a_person_may_stop(host: Host) -> None:
    host.put_pfx(b"right")
    host.prompter.typed = ["1", "2", "3", "stop", "right"]
    with pytest.raises(CertificateError) as caught:
        host.gather()
    assert (caught.value.code, host.prompter.typed) == ("pfx-passphrase-wrong", ["right"])
    host.prompter.typed = ["1", "2", "3", "", "right"]
    assert name_of(host.gather()) == PKI.pem("leaf")


@pytest.mark.parametrize("there", [True, False])
def test_passphrase_is_prompted_if_its_file_is_missing_or_wrong(host: Host, *, there: bool) -> None:
    host.put_pfx(b"right")
    if there:
        host.place("/root/passphrase", b"wrong")
        (host.root / "root/passphrase").chmod(0o600)
    host.prompter.typed = ["right"]
    pfx = str(host.root / paths.SITE_PFX.lstrip("/"))
    found = host.gather(certificate__pfx=pfx, certificate__passphrase=f"file:{host.root}/root/passphrase")
    assert name_of(found) == PKI.pem("leaf")
    assert found.source.passphrase is None


def test_a_certificate_that_does_not_fit_is_asked_for_again(host: Host) -> None:
    """The key does not match; after a wrong path or a missing key, the prompt is repeated as well."""
    host.put("leaf", key="p256/other")
    host.place("/root/right.pem", PKI.pem("leaf") + ROOT)
    host.place("/root/right.key", key_bytes("p256"))
    right, key = str(host.root / "root/right.pem"), str(host.root / "root/right.key")
    directory = str(host.root / "root")
    host.prompter.typed = ["right.pem", right, "/nowhere.key", directory, right, key]
    found = host.gather()
    assert found.source.paths == (right, key)
    mismatch, *missing = host.prompter.said
    assert "does not belong to the certificate" in mismatch
    assert missing[2].startswith(f"cannot read {directory}")
    assert [text.partition(". ")[0] for text in missing[:2]] == [
        "There is no file right.pem",
        "There is no file /nowhere.key",
    ]


def test_files_corrected_in_place_are_read_again(host: Host) -> None:
    host.put("over")
    host.prompter.typed = [""]
    asked = host.prompter.ask

    def mend(question: str, default: str | None = None, *, secret: bool = False) -> str:
        host.put("leaf")
        return asked(question, default, secret=secret)

    host.prompter.ask = mend  # type: ignore[method-assign]
    assert name_of(host.gather()) == PKI.pem("leaf")


def test_unattended_a_missing_passphrase_is_an_error(host: Host) -> None:
    host.put_pfx(b"right")
    host.prompter.interactive = False
    with refused(CertificateError, "pfx-passphrase-missing"):
        host.gather()
