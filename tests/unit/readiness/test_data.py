"""The dated tables are complete and consistent."""

from pathlib import Path

from mstunnel_setup.containers.versions import release
from mstunnel_setup.readiness.data import endpoints_of, platforms, with_registries


def test_all_supported_platforms_are_listed() -> None:
    listed = {f"{row.distribution} {row.version}" for row in platforms().platform if row.vendor}

    assert listed >= {
        *(f"rhel {version}" for version in ("8.9", "8.10", "9.3", "9.4", "9.5", "9.6", "9.7", "9.8", "10.0")),
        "ubuntu 24.04",
        "ubuntu 26.04",
    }


def test_platforms_of_earlier_editions_have_an_end() -> None:
    ended = {("rhel", "7.9"), ("centos", "7"), ("rhel", "8.6"), ("rhel", "9.2"), ("ubuntu", "22.04")}

    rows = [platforms().of(*name) for name in sorted(ended)]
    assert [row for row in rows if row is None or not (row.ended or row.last_listed)] == []


def test_minimum_engine_version_is_shipped_and_sufficient() -> None:
    table = platforms()
    names = (("rhel", "9.6"), ("rhel", "8.6"), ("ubuntu", "24.04"))

    rows = [row for row in (table.of(*name) for name in names) if row is not None]
    assert [table.least_engine(row) for row in rows] == ["5.4.0", "4.4", "20.10"]


def test_the_sizing_table_grows_with_the_devices() -> None:
    table = platforms()

    assert [table.size_for(count).cpus for count in (1, 1000, 2000, 2001, 5000, 10**6)] == [4, 4, 4, 8, 8, 8]
    assert [row.devices for row in table.size] == sorted(row.devices for row in table.size)


def test_devices_are_distributed_over_servers() -> None:
    counts = (2000, 5000, 5001, 10000, 20000, 40000, 40001, 900000)

    assert [platforms().servers_for(count) for count in counts] == [1, 1, 3, 3, 4, 8, 9, 180]


def test_every_version_in_the_table_is_readable() -> None:
    table = platforms()
    versions = [row.shipped for row in table.platform if row.shipped]
    versions += [
        text for item in table.engines.values() for text in (item.least, *(run.version for run in item.runs))
    ]
    versions += [text for bad in table.bad for text in (bad.start, bad.below)]

    assert [text for text in versions if release(text) is None] == []


def test_readme_lists_exactly_the_recorded_runs() -> None:
    page = (Path(__file__).parents[3] / "README.md").read_text()
    claimed = " ".join(page.partition("Run from end to end:")[2].partition("\n\n")[0].split())
    runs = [f"{name.capitalize()} {run}" for name, known in platforms().engines.items() for run in known.runs]
    assert claimed.rstrip(".").split("; ") == runs


def test_missing_archive_is_not_listed_as_a_registry() -> None:
    found = with_registries(endpoints_of("public"), ("localhost/mstunnel/gateway@sha256:0",), offline=False)
    assert "localhost" not in {item.host for item in found}
    assert [item.archive for item in found if item.archive] == ["the archive with the images"]
