"""The seed file: the package's own, and mistakes with line and column."""

import pytest

from mstunnel_lab.seed import default_seed, parse_seed, read_seed
from mstunnel_setup.base.errors import UsageError
from tests.cases import every

GOOD = default_seed()
CONFIGURATION = "  - name: Default configuration\n    network: 10.1.0.0/16\n"
APP = "11111111-2222-4333-8444-555555555555"
APPLICATIONS = "\napplications:\n" + "".join(f"  - name: app {n}\n    app_id: {APP}\n" for n in "ab")


def test_seed_of_the_package_is_valid() -> None:
    seed = parse_seed(GOOD)
    admin = seed.users[0]
    assert (admin.upn, admin.licensed) == ("admin@contoso.example", True)
    assert "Intune Administrator" in admin.roles
    configuration = seed.configurations[0]
    assert (configuration.network, configuration.route_includes) == ("169.254.0.0/16", ("10.99.0.0/24",))
    assert {site.configuration for site in seed.sites} == {configuration.name}


@every(
    "old, new, where, what",
    [
        ("    licensed: true\n", "    licenced: true\n", "seed.yaml:23:5", "licenced"),
        ("poll_interval: 2 ", "poll_interval: no ", "seed.yaml:9:3", "whole number"),
        ("version: 1\n", "version: 2\n", "seed.yaml:2:1", "version"),
        ("[Intune Administrator]", "[Emperor]", "seed.yaml:26:13", "'Emperor' is not one of"),
        ("reader@contoso.example", "admin@contoso.example", "seed.yaml:1:1", "there twice"),
        ("name: Osaka", "name: Berlin", "seed.yaml:1:1", "'Berlin' is there twice"),
        (
            "\nsites:\n",
            f"{CONFIGURATION}\nsites:\n",
            "seed.yaml:1:1",
            "'Default configuration' is there twice",
        ),
        ("\napplications:\n", APPLICATIONS, "seed.yaml:1:1", f"'{APP}' is there twice"),
        ("    configuration: Default", "    configuration: Defect", "seed.yaml:1:1", "no configuration"),
        ("use: device", "use: setup", "seed.yaml:1:1", "exactly one application"),
        ("tenant:\n", "tenant: [\n", "seed.yaml:6:9", "expected ',' or ']'"),
        ("version: 1\n", "version: 1\nversion: 1\n", "seed.yaml:3:1", "duplicate key"),
    ],
)
def test_mistakes_are_reported_with_their_place(old: str, new: str, where: str, what: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as caught:
        parse_seed(GOOD.replace(old, new, 1))
    assert where in caught.value.message
    assert what in caught.value.message


def test_unreadable_seed_is_reported(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("seed")
    with pytest.raises(UsageError, match="No such file"):
        read_seed(directory / "none.yaml")
    (directory / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_seed(directory / "binary.yaml")
