"""A program of a release brings the same two images, whichever way they come to a host."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.testbed import kinds, release
from tests.testbed.installation import Installation
from tests.testbed.process import Completed
from tests.testbed.registry import NAME
from tests.testbed.release import Release
from tests.testbed.testbed import Testbed

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(600)]

ARCHIVES = "/var/lib/mstunnel/images"
UNREACHABLE = "away.tunnel.test/mstunnel"


@dataclass(frozen=True)
class Host:
    """A host with the program of a release in /root, and nothing else of it."""

    installation: Installation
    release: Release

    def brings(self, *arguments: str, registry: str = UNREACHABLE) -> Completed:
        """Run the step that pulls or loads the images."""
        answers = {**self.installation.answers(), "images": {"registry": registry}}
        self.installation.write_answers(answers)
        fixed = ("--answers", self.installation.path("answers.yaml"), "--unattended", "--output", "json")
        command = ("/root/mstunnel-setup", "step", "images", *arguments, *fixed)
        return self.installation.server.run(command, timeout=180, check=False)

    def present(self) -> dict[str, str]:
        """The digests that Podman and the file of the configured images have."""
        run = self.installation.server.run
        found = json.loads(run(["podman", "images", "--format=json"]).stdout)
        digests = {image["Digest"] for image in found}
        configured = json.loads(run(["cat", "/etc/mstunnel/images_configured"]).stdout)
        named = {"gateway": configured["serverImageDigest"], "agent": configured["agentImageDigest"]}
        assert digests == set(named.values())
        return named

    def clear(self) -> None:
        """Take everything back, and the archives away."""
        run = self.installation.server.run
        run(["/root/mstunnel-setup", "rollback"], check=False)
        assert run(["podman", "images", "--quiet"]).stdout == ""
        self.installation.server.shell(f"rm -rf /root/*.tar /srv/*.tar {ARCHIVES}")


@pytest.fixture(scope="module")
def booted() -> Iterator[Host]:
    with Testbed(kind=kinds.BARE) as testbed:
        made = release.prepare(testbed.images)
        installation = Installation(testbed, testbed.start_registry().references)
        installation.start_lab()
        installation.server.write(
            installation.path("lab-ca.pem"), testbed.lab.read(installation.lab["ca_file"])
        )
        installation.restore()
        installation.server.copy([made.program], "/root")
        # An earlier step of an installation makes it.
        installation.server.run(["mkdir", "/etc/mstunnel"])
        yield Host(installation, made)


@pytest.fixture
def host(booted: Host) -> Iterator[Host]:
    yield booted
    booted.clear()


def test_the_archive_that_is_given(host: Host) -> None:
    host.installation.server.copy([host.release.archive], "/srv")
    host.brings("--offline", f"/srv/{host.release.archive.name}").checked()
    assert host.present() == host.release.digests


@pytest.mark.parametrize("directory", ["/root", ARCHIVES], ids=["beside", "directory"])
def test_the_archive_that_lies_there(host: Host, directory: str) -> None:
    host.installation.server.run(["mkdir", "-p", directory])
    host.installation.server.copy([host.release.archive], directory)
    host.brings().checked()
    assert host.present() == host.release.digests


def test_a_registry(host: Host) -> None:
    host.brings(registry=f"{NAME}/mstunnel").checked()
    assert host.present() == host.release.digests


def test_none_of_them_names_the_file_to_copy(host: Host) -> None:
    done = host.brings()
    (error,) = done.envelope["errors"]
    assert error["code"] == "image-pull-failed"
    assert f"copy {host.release.archive.name} to {ARCHIVES}" in error["hint"]
