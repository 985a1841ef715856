"""What Docker does not know is left out of its command line."""

from mstunnel_setup.containers.run_arguments import tmpfs_arguments, volume_arguments
from mstunnel_setup.containers.spec import Tmpfs, Volume


def test_docker_gets_no_option_of_a_directory_that_it_does_not_know() -> None:
    volume = Volume(host="/a", container="/b", options=("ro", "noexec", "nosuid", "nodev", "z"))
    assert [*volume_arguments([volume], "docker")] == ["--volume=/a:/b:ro,z"]
    assert [*volume_arguments([volume])] == ["--volume=/a:/b:ro,noexec,nosuid,nodev,z"]
    only = Volume(host="/a", container="/b", options=("noexec",))
    assert [*volume_arguments([only], "docker")] == ["--volume=/a:/b:rw"]


def test_docker_gets_no_option_of_a_tmpfs_that_it_does_not_know() -> None:
    mount = Tmpfs(path="/a", options=("ro", "notmpcopyup"))
    assert [*tmpfs_arguments([mount], "docker")] == ["--tmpfs=/a:ro"]
    assert [*tmpfs_arguments([mount])] == ["--tmpfs=/a:ro,notmpcopyup"]
    assert [*tmpfs_arguments([Tmpfs(path="/a")])] == ["--tmpfs=/a:rw"]
