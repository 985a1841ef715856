"""Every command in a code block of the documentation runs, in the order of the pages, on real servers.

It runs as a reader would type it: placeholders are filled in, the names and files of the examples exist, and
variables hold what a person would be asked for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests import pages
from tests.testbed import kinds, vpn
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.process import Completed
from tests.testbed.testbed import DOMAIN
from tests.testbed.waiting import eventually
from tests.unit.test_doc_commands import PAGES, blocks, is_synopsis

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

TESTS: Final = Path(__file__).parents[1]
# What runs where it belongs: the file, and what stands there.
ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = {
    "mst-cli restore": ("e2e/test_day_two.py", '"mst-cli", "restore", BACKUP'),
    "mstunnel-setup self update": ("e2e/test_self_update.py", '"mstunnel-setup", "self", "update"'),
    "mstunnel-setup adopt": ("e2e/test_adopt.py", '"adopt"'),
    "mstunnel-setup --lab": ("e2e/test_walk.py", "mstunnel-setup --lab {lab}"),
    "mstunnel-lab serve": ("testbed/installation.py", "mstunnel-lab serve"),
    "mstunnel-lab report": ("unit/mstunnel_lab/test_command.py", 'run("report", "gw 7"'),
    "mstunnel-lab approve": ("testbed/installation.py", '"mstunnel-lab", "approve"'),
}
# On a host without root, in this order; then what removes it.
ROOTLESS: Final = (
    "mstunnel-setup host",
    "mstunnel-setup --rootless",
    "mst_rootless_mode=1 mstunnel-setup",
    "mstunnel-setup host --account NAME --accept-eula",
)
# What leads to a gateway, and what comes after it; all else is in the order of the pages.
FIRST: Final = (
    "mst-admin config create Main",
    "mst-admin site create Berlin",
    "mst-readiness all",
    "mstunnel-setup plan",
    "mstunnel-setup --cert",
    "mst-admin profile create",
    # While its address stays: a sample further on gives devices another network.
    "mst-cli server capture",
)
LAST: Final = ("mst-cli uninstall",)
# They may find something: the testbed is small, and its certificates are of a private authority.
JUDGING: Final = re.compile(r"mst-readiness|mst-cli (explain|health|status|cert check)")
WATCHING: Final = re.compile(r"--(follow|watch)\b")
AUTOMATION: Final = "5b1c2f7e-64f1-4b8b-9c53-0a5a1f0c7d11"
SECRET: Final = "Automation~of/the+testbed.8"
GROUP: Final = "99999999-2222-3333-4444-555555555555"
PROFILE: Final = f"""
version: 1
platform: android-work-profile
name: Tunnel for Android
connection_name: Contoso
site: Berlin
groups: [{GROUP}]
"""
IOS_PROFILE: Final = PROFILE.replace("android-work-profile", "ios").replace("Android", "iOS")
EXCLUSIONS: Final = """
proxy: {address: proxy.contoso.com, port: 3128}
proxy_exclusions: ["*.contoso.com"]
"""


def samples() -> list[str]:
    """Each command once, without `sudo` and the directory of the program."""
    lines = [
        re.sub(r"\bsudo |(\.|/usr/sbin)/(?=ms)", "", line)
        for page in PAGES
        for found in blocks(pages.content(page))
        if not is_synopsis(found)
        for line in found
    ]
    # A diagram may name a program alone.
    return [line for line in dict.fromkeys(lines) if line not in {"mst-cli", "mst-admin", "mstunnel-lab"}]


def place(line: str) -> tuple[int, int]:
    """When a command runs: before those without a place of their own, with them, or after them."""
    for number, starts in enumerate(FIRST):
        if line.startswith(starts):
            return 0, number
    return next(((2, number) for number, starts in enumerate(LAST) if line.startswith(starts)), (1, 0))


def scheduled(host: Installation) -> str:
    """The name of the import that waits."""
    return str(host.cli("import_cert", "--list").envelope["data"]["pending"][0]["name"])


def trusted(host: Installation) -> str:
    """The name of the authority that was added."""
    listed = host.server.run(["mst-cli", "ca-trust", "list"]).stdout
    return next(line.split()[0] for line in listed.splitlines() if "Tunnel testbed" in line)


def tomorrow(_host: Installation) -> str:
    """A time for an import."""
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT03:00")


FILLED: Final[Mapping[str, str | Callable[[Installation], str]]] = {
    r"gw\.contoso\.com": PUBLIC_ADDRESS,
    r"intranet\.contoso\.com": f"intranet.{DOMAIN}",
    r"new\.contoso\.com": f"proxy.{DOMAIN}",
    r"2026-12-31T03:00": tomorrow,
    r"(?<=--cancel )NAME": scheduled,
    r"(?<=remove )NAME": trusted,
    r"(?<=--account )NAME": lambda host: host.testbed.kind.account,
    r"(?<=config update )\w+": "Main",
    r"(?<=profile create )FILE|(?<=profile lint )FILE": "ios.yaml",
    r"(?<=--profile )NAME": "'Tunnel for Android'",
    r"(?<=lint )NAME": "'Tunnel for Android'",
    r"\bSERVER\b": "gw1",
    r"\bUSER\b|1{8}-2222-3333-4444-5{12}": Installation.token_user,
    r"\bADDRESS\b|203\.0\.113\.7": "10.90.0.20",
    r"169\.254\.10\.23": Installation.client_address,
}


def run(host: Installation, line: str, *become: str) -> Completed:
    """Run a sample in the directory of its files; a person ends what watches."""
    for pattern, value in FILLED.items():
        if re.search(pattern, line):
            line = re.sub(pattern, value if isinstance(value, str) else value(host), line)
    answers = host.path("sign-in.yaml" if "conditional-access" in line else "gw1.yaml")
    asked = f"MSTUNNEL_ANSWERS={answers} mst_no_prompt=1 MSTUNNEL_YES=1"
    watched = "timeout --preserve-status --signal=INT 5" if WATCHING.search(line) else ""
    script = re.sub(r"(?=\bms[a-z]+-)", f"{watched} ", f"env {asked} {line}", count=1)
    return host.program(*become, "sh", "-c", f"cd {host.path('')} && {script}", check=False)


def expected(line: str) -> set[int]:
    """The exit codes with which a sample has done its work."""
    if WATCHING.search(line):
        return {0, 130}
    return {0, 3} if JUDGING.search(line) else {0}


def pack(host: Installation) -> None:
    """Chain and key as PKCS #12."""
    packed = "openssl pkcs12 -export -in chain.pem -inkey key.pem -passout pass:geheim -out site.pfx"
    host.server.shell(f"cd /root && {packed}")


def renew(host: Installation) -> None:
    """A new certificate, where the one in use came from."""
    host.place_certificate(*host.authority.issue(PUBLIC_ADDRESS))
    pack(host)


def archive(host: Installation) -> None:
    """Both images as files, as an administrator brings them to a server without a registry."""
    for image, reference in (("server", host.references["gateway"]), ("agent", host.references["agent"])):
        save = ["podman", "save", "--quiet", "--format=oci-archive", f"--output=/root/{image}.tar"]
        host.server.run([*save, reference])


BEFORE: Final[Mapping[str, Callable[[Installation], object]]] = {
    "mst-admin profile create android.yaml": Installation.keep_connected,
    "mstunnel-setup --offline": archive,
    "mst-cli import_cert --at": renew,
    "mst-cli server capture": lambda host: eventually(lambda: vpn.address(host.testbed.client) != "", 60),
    "mst-cli upgrade check": lambda host: host.offer("gateway-next"),
    "mst-cli upgrade apply --drain": Installation.disconnect,
}


def write_answers(host: Installation) -> None:
    """The answer files of the pages; an application signs in with one of them."""
    sign_in = {
        "method": "client-secret",
        "client_id": AUTOMATION,
        "client_secret": "file:/root/client-secret",
    }
    tenant = {**host.answers()["tenant"], "id": host.lab["tenant_id"]}
    for name, changes in {"gw1": {}, "answers": {}, "sign-in": {"sign_in": sign_in}}.items():
        site = "Testbed" if host.testbed.kind.account else "Berlin"
        host.write_answers({"tenant": tenant, "site": site, **changes}, host.path(f"{name}.yaml"))


@pytest.fixture
def reader(host: Installation) -> Installation:
    """A server with the files that the examples name, and a proxy."""
    host.testbed.start_proxy()
    write_answers(host)
    issuer = host.authority.pem.decode()
    files = {
        "client-secret": SECRET,
        "leaf.pem": host.server.read("/root/chain.pem").removesuffix(issuer),
        "issuer.pem": issuer,
        "root.pem": issuer,
        "passphrase": "geheim",
        "chain-and-key.pem": host.server.read("/root/chain.pem") + host.server.read("/root/key.pem"),
        "android.yaml": PROFILE + EXCLUSIONS,
        "ios.yaml": IOS_PROFILE,
        "list.csv": "intranet.contoso.com\n",
        "device.token": host.token(),
    }
    for name, content in files.items():
        host.server.write(host.path(name), content, 0o600)
    pack(host)
    return host


@pytest.fixture
def rootless() -> Iterator[Installation]:
    with Installation.booted(kinds.PODMAN_ROOTLESS) as made:
        write_answers(made)
        yield made


def failures(ran: Iterable[tuple[str, Completed]]) -> str:
    """What each sample said that did not do its work."""
    return "\n\n".join(f"{line}\n{done.describe()}" for line, done in ran if done.code not in expected(line))


@pytest.mark.long
def test_every_command_of_the_pages_runs(reader: Installation) -> None:
    def in_turn() -> Iterator[tuple[str, Completed]]:
        here = [line for line in samples() if line not in ROOTLESS and not line.startswith((*ELSEWHERE,))]
        for line in sorted(here, key=place):
            for starts, make_so in BEFORE.items():
                if line.startswith(starts):
                    make_so(reader)
            yield line, run(reader, line)

    assert failures(in_turn()) == ""


@pytest.mark.long
def test_every_command_about_gateways_without_root_runs(rootless: Installation) -> None:
    assert set(ROOTLESS) <= set(samples())
    account = rootless.testbed.kind.as_account()

    def in_turn() -> Iterator[tuple[str, Completed]]:
        for line in (*ROOTLESS, "mst-cli uninstall"):
            yield line, run(rootless, line, *(account if line.startswith("mst_rootless") else ()))

    assert failures(in_turn()) == ""


@pytest.mark.parametrize("starts", [*FIRST, *LAST])
def test_what_has_a_place_is_a_sample(starts: str) -> None:
    assert any(line.startswith(starts) for line in samples())


@pytest.mark.parametrize("starts", BEFORE)
def test_what_is_arranged_is_for_one_sample(starts: str) -> None:
    assert sum(line.startswith(starts) for line in samples()) == 1


@pytest.mark.parametrize("starts", ELSEWHERE)
def test_what_runs_elsewhere_is_of_a_page_and_stands_there(starts: str) -> None:
    file, text = ELSEWHERE[starts]
    assert any(line.startswith(starts) for line in samples())
    assert text in (TESTS / file).read_text()
