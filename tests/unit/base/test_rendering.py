"""Generated files are templates; each file's real parser reads every value back unchanged."""

import html.parser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path

import jinja2
import pytest
from hypothesis import strategies as st
from jinja2 import meta
from ruamel.yaml import YAML

from mstunnel_setup.base import rendering
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.rendering import render
from mstunnel_setup.containers import engine_options, quadlet
from mstunnel_setup.containers.engine_options import container_options
from mstunnel_setup.gateway import env_file
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf
from mstunnel_setup.install.steps import proxy
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness.facts.parse import assignments, unit_environment
from tests.cases import every
from tests.unit.containers.systemd_words import words
from tests.unit.hostile import BREAKS, HOSTILE, SPEC
from tests.unit.log_files import check_logrotate
from tests.unit.manifests import check_kubernetes, check_values

Rule = Callable[[str], str]
ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "templates"
PAGES = sorted(str(path.relative_to(TEMPLATES))[:-3] for path in TEMPLATES.rglob("*.html.j2"))
# systemd takes neither quotes nor backslashes in the path of a program.
PROGRAM = HOSTILE.translate(dict.fromkeys(map(ord, '"\\')))
# All shells read this text in the same way.
TEXT = st.text(st.characters(exclude_categories=["C"], exclude_characters="\u2028\u2029"), max_size=20)


def installed(root: Path, name: str) -> str:
    """Create an executable of that name below `root`, which prints its arguments."""
    program = root / "usr/sbin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    return f"/{program.relative_to(root)}"


def verify(root: Path, name: str, text: str) -> str:
    """Return systemd's complaints about a unit, a missing program among them."""
    path = root / "etc/systemd/system" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    command = ["systemd-analyze", "verify", f"--root={root}", "--recursive-errors=no", path.name]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def sh(*words: str) -> str:
    """Return the output of a script, which must succeed."""
    return subprocess.run(["/bin/sh", *words], check=True, capture_output=True, text=True).stdout


def a_unit(tmp_path: Path, template: str, **values: object) -> str:
    """Render a unit with a hostile program, which systemd finds."""
    text = render(template, program=installed(tmp_path, PROGRAM), rootless=False, **values)
    assert verify(tmp_path, "ours.service", text) == ""
    return text


def check_monitor(tmp_path: Path) -> None:
    text = a_unit(tmp_path, "systemd/mstunnel_monitor.service", engine="podman")
    (tmp_path / "usr/sbin" / PROGRAM).unlink()
    assert "not executable" in verify(tmp_path, "ours.service", text)


def check_uplink(tmp_path: Path) -> None:
    words = {"account": HOSTILE, "socket_unit": "mstunnel-uplink.socket"}
    service = "systemd/mstunnel-uplink.service"
    text = render(service, program=installed(tmp_path, PROGRAM), **words)
    verify(tmp_path, "mstunnel-uplink.socket", "[Socket]\nListenStream=/run/x\nService=ours.service\n")
    assert verify(tmp_path, "ours.service", text) == ""


def check_uplink_socket(tmp_path: Path) -> None:
    text = render("systemd/mstunnel-uplink.socket", account="gateway", socket="/run/mstunnel-uplink/443")
    verify(tmp_path, "mstunnel-uplink.service", "[Service]\nExecStart=/bin/true\n")
    assert verify(tmp_path, "mstunnel-uplink.socket", text) == ""


def check_uplink_unit_of_rules(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(tmp_path / installed(tmp_path, "sh").lstrip("/"), tmp_path / "bin/sh")
    text = render("systemd/mstunnel-uplink-rules.service", account=HOSTILE, device="d0", rules="/etc/r.nft")
    assert verify(tmp_path, "ours.service", text) == ""


def check_uplink_rules(tmp_path: Path) -> None:
    for services in ((), (443, 3128)):
        words = {"table": "t", "device": "d0", "gateway": "192.0.0.6", "host": "192.0.0.5", "port": 443}
        check_rules(tmp_path, render("network/uplink.nft", services=services, **words))


def check_container_rules(tmp_path: Path) -> None:
    addresses = ("02:4d:53:54:00:01", "02:4d:53:54:00:02")
    for services in ((), (443, 3128)):
        words = {"table": "t", "addresses": addresses, "services": services}
        check_rules(tmp_path, render("network/containers.nft", account="", uplink="", **words))
    rootless = render("network/containers.nft", table="t", account="root", uplink="d0", services=())
    check_rules(tmp_path, rootless)


def check_forwarding_rules(tmp_path: Path) -> None:
    for family in ("", "ipv6"):
        networks = ("podman", "docker")
        check_rules(tmp_path, render("network/forwarding.nft", table="t", networks=networks, family=family))


def check_forwarding_unit(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(tmp_path / installed(tmp_path, "sh").lstrip("/"), tmp_path / "bin/sh")
    for again in (False, True):
        text = render("systemd/mstunnel-forwarding.service", rules="/etc/r.nft", again=again)
        assert verify(tmp_path, "ours.service", text) == ""


def check_rules(tmp_path: Path, text: str) -> None:
    """Check rules with nft in a separate network namespace."""
    (tmp_path / "rules").write_text(text)
    check = ["unshare", "--map-root-user", "--net", "nft", "--check", "--file", str(tmp_path / "rules")]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def check_import(tmp_path: Path) -> None:
    name = "a%i$b"
    text = a_unit(tmp_path, "systemd/mstunnel-import.service", name=name, locked=9, engine="docker")
    (arguments,) = re.findall('^ExecStart=".*?" (.*)$', text, re.MULTILINE)
    assert words(arguments) == ["import_cert", "--unattended", "--activate", name]


def check_timer(tmp_path: Path) -> None:
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    text = render("systemd/mstunnel-import.timer", name=HOSTILE, at=at)
    a_unit(tmp_path, "systemd/mstunnel_monitor.service", engine="podman")
    assert verify(tmp_path, "ours.timer", text) == ""
    assert f"take the certificate {HOSTILE.replace('%', '%%')} of" in text


def check_engine_unit(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    for name in ("docker", "podman"):
        (tmp_path / "usr/bin" / name).write_text("#!/bin/sh\n")
        (tmp_path / "usr/bin" / name).chmod(0o755)
    text = engine_options.unit_file(SPEC, "docker")
    assert verify(tmp_path, "ours.service", text) == ""
    (command,) = re.findall("^ExecStartPre=(.* run .*)$", text, re.MULTILINE)
    assert set(container_options(SPEC, "docker")) <= set(words(command))


def check_quadlet(tmp_path: Path) -> None:
    text = quadlet.render(SPEC)
    service = quadlet.check(Files(tmp_path), Processes(), "gateway.container", text)
    (command,) = re.findall("^ExecStart=(.*)$", service, re.MULTILINE)
    made = words(command)
    assert {f"text={HOSTILE}", f"/{HOSTILE}:/b:rw"} <= set(made)


def check_env(tmp_path: Path) -> None:
    path = tmp_path / "env.sh"
    path.write_text(env_file.merge(None, {}, {"X": HOSTILE, "Y": "it's", "Z": ""}, "env.sh"))
    assert sh("-c", f'. {path}; printf "%s|%s|%s" "$X" "$Y" "$Z"') == f"{HOSTILE}|it's|"


def check_profile(tmp_path: Path) -> None:
    path = tmp_path / "http_proxy.sh"
    path.write_text(proxy.shell_text("A=1\n", {"X": HOSTILE}, export=True))
    program = "import os; print(os.environ['X'], end='')"
    assert sh("-c", f'. {path}; exec "$0" -c "$1"', sys.executable, program) == HOSTILE
    assert assignments(path.read_text()) == {"A": "1", "X": HOSTILE}


def check_drop_in(tmp_path: Path) -> None:
    text = proxy.drop_in_text("", {"X": HOSTILE})
    assert unit_environment(text) == {"X": HOSTILE}
    program = rendering.systemd(installed(tmp_path, PROGRAM))
    assert verify(tmp_path, "ours.service", f"{text}ExecStart={program}\n") == ""


def check_ocserv(tmp_path: Path) -> None:
    text = ocserv_conf(ServerConfiguration.from_wire({"network": "10.0.0.0/8"}))
    assert "ipv4-network = 10.0.0.0\n" in text
    for value in (HOSTILE, *BREAKS):
        with pytest.raises(StepError):
            rendering.ocserv(value)


def check_certbot_hook(tmp_path: Path) -> None:
    """A hook for one lineage leaves the others alone."""
    program, lineage = str(tmp_path) + installed(tmp_path, HOSTILE), f"/live/{HOSTILE}"
    path = tmp_path / "mstunnel"
    path.write_text(render("certificates/mstunnel", program=program, lineage=lineage))
    run = 'RENEWED_LINEAGE=$1 exec /bin/sh "$0"'
    files = f"--cert {lineage}/fullchain.pem --key {lineage}/privkey.pem"
    assert sh("-c", run, str(path), lineage) == f"import_cert --unattended --if-changed {files}\n"
    assert sh("-c", run, str(path), "/live/other") == ""


def check_acme_hook(tmp_path: Path) -> None:
    program = str(tmp_path) + installed(tmp_path, HOSTILE)
    path = tmp_path / "renewal-hook"
    path.write_text(render("certificates/renewal-hook", program=program))
    run = 'CERT_FULLCHAIN_PATH=/a CERT_KEY_PATH="/b c" exec /bin/sh "$0"'
    assert sh("-c", run, str(path)) == "import_cert --unattended --if-changed --cert /a --key /b c\n"
    assert sh("-c", f"export MSTUNNEL_WRITES_HOOK=1; {run}", str(path)) == ""
    Path(program).unlink()
    assert sh("-c", run, str(path)) == ""


def check_sysctl(tmp_path: Path) -> None:
    path = tmp_path / "90-mstunnel.conf"
    path.write_text(
        render("kernel/90-mstunnel.conf", settings={"kernel.hostname": "1 2", "kernel.domainname": HOSTILE})
    )
    command = ["/usr/sbin/sysctl", "--dry-run", f"--load={path}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["kernel.hostname = 1 2", f"kernel.domainname = {HOSTILE}"]


def check_audit_rules(tmp_path: Path) -> None:
    """Check audit rules without quoting.

    augenrules(8) reads one rule per line, and auditctl(8) takes its options literally.
    """
    text = render("audit/mst.rules", watched=["/etc/mstunnel", "/usr/sbin/mstunnel-setup"])
    rules = [line for line in text.splitlines() if not line.startswith("#")]
    assert rules == [f"-w {path} -p wa -k mst" for path in ("/etc/mstunnel", "/usr/sbin/mstunnel-setup")]


def check_modules(tmp_path: Path) -> None:
    assert render("kernel/modules-load.conf", module="tun") == "tun\n"


def check_bridge(tmp_path: Path) -> None:
    text = render("podman/90-mstunnel-bridge.conf", network=IPv4Network("10.9.0.0/16"))
    assert tomllib.loads(text) == {"network": {"default_subnet": "10.9.0.0/16"}}


def check_style(tmp_path: Path) -> None:
    assert render("lab/lab.css") == (TEMPLATES / "lab/lab.css.j2").read_text()


def check_lab_script(tmp_path: Path) -> None:
    (tmp_path / "mstunnel-setup").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "mstunnel-setup").chmod(0o755)
    script = render("lab/mstunnel-setup", lab_option=HOSTILE)
    command = ["/bin/sh", "-c", script, "sh", "--site", HOSTILE]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["--lab", HOSTILE, "--site", HOSTILE]


def check_lab_answers(_path: Path) -> None:
    certificate = ["-----BEGIN CERTIFICATE-----", "AAAA", "-----END CERTIFICATE-----"]
    urls = {"authority": HOSTILE, "graph": HOSTILE}
    text = render("lab/answers.yaml", urls=urls, client_id=HOSTILE, certificate=certificate)
    found = YAML(typ="safe").load(text)
    assert found["tenant"] == {"cloud": "custom", "ca_pem": "\n".join(certificate) + "\n", **urls}
    assert found["sign_in"] == {"client_id": HOSTILE}


# Each template that is a file, with its check by the parser of that file.
CHECKS = {
    "audit/mst.rules": check_audit_rules,
    "certificates/mstunnel": check_certbot_hook,
    "certificates/renewal-hook": check_acme_hook,
    "gateway/env.sh": check_env,
    "gateway/ocserv.conf": check_ocserv,
    "kernel/90-mstunnel.conf": check_sysctl,
    "kernel/modules-load.conf": check_modules,
    "kubernetes/mstunnel.yaml": check_kubernetes,
    "kubernetes/values.yaml": check_values,
    "lab/answers.yaml": check_lab_answers,
    "lab/lab.css": check_style,
    "lab/mstunnel-setup": check_lab_script,
    "logrotate/mstunnel": check_logrotate,
    "network/forwarding.nft": check_forwarding_rules,
    "network/containers.nft": check_container_rules,
    "network/uplink.nft": check_uplink_rules,
    "podman/90-mstunnel-bridge.conf": check_bridge,
    "proxy/http-proxy.conf": check_drop_in,
    "proxy/http_proxy.sh": check_profile,
    "quadlet/mstunnel.container": check_quadlet,
    "systemd/mstunnel-forwarding.service": check_forwarding_unit,
    "systemd/mstunnel-import.service": check_import,
    "systemd/mstunnel-import.timer": check_timer,
    "systemd/mstunnel-uplink-rules.service": check_uplink_unit_of_rules,
    "systemd/mstunnel-uplink.service": check_uplink,
    "systemd/mstunnel-uplink.socket": check_uplink_socket,
    "systemd/mstunnel.service": check_engine_unit,
    "systemd/mstunnel_monitor.service": check_monitor,
}


@pytest.mark.parametrize("name", CHECKS)
def test_generated_file_is_parsed_with_unchanged_values(tmp_path: Path, name: str) -> None:
    CHECKS[name](tmp_path)


def test_every_template_has_a_check() -> None:
    """Check that each template has a check; a name that begins with `_` is a part of others."""
    found = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*") if path.is_file()}
    files = {name for name in found if not Path(name).name.startswith("_")}
    assert files == {f"{name}.j2" for name in (*CHECKS, *PAGES)}
    sources = "".join(path.read_text() for path in TEMPLATES.rglob("*.j2"))
    # The addresses of clouds are also a file in the gateway's image.
    assert found - files == {*re.findall('include "(.*?)"', sources)} - {"metadata.nft"}


class Anything:
    """A value that allows every operation of a page, and is hostile text where it is shown."""

    def __str__(self) -> str:
        return "\"'><script onx=1>&"

    def __getattr__(self, name: str) -> "Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, _key: object) -> "Anything":
        return self

    def __call__(self, *_arguments: object, **_options: object) -> "Anything":
        return self

    def __iter__(self) -> Iterator["Anything"]:
        return iter((self, self))

    def __len__(self) -> int:
        return 2

    def __gt__(self, _other: object) -> bool:
        return True

    def __floordiv__(self, _other: object) -> int:
        return 1

    __add__ = __sub__ = __floordiv__


class Tags(html.parser.HTMLParser):
    """A parser that collects all tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"@{name}" for name, _ in attrs)}


def tags(text: str) -> set[str]:
    reader = Tags()
    reader.feed(text)
    return reader.found


@every("name", PAGES)
def test_values_are_escaped_in_pages(name: str) -> None:
    environment = rendering._environment()
    source = (TEMPLATES / f"{name}.j2").read_text()
    names = meta.find_undeclared_variables(environment.parse(source)) | {
        "tenant",
        "form_token",
        "user",
        "tab",
        "_",
        "languages",
        "here",
    }
    assert not tags(render(name, **dict.fromkeys(names, Anything()))) & {"script", "@onx"}


def test_hostile_value_would_add_tags_to_an_unescaped_page() -> None:
    assert tags(str(Anything())) == {"script", "@onx"}


NEED_VALUES = [name for name in CHECKS if "{{" in (TEMPLATES / f"{name}.j2").read_text()]


@every("name", NEED_VALUES)
def test_missing_value_is_an_error(name: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        render(name)


def test_the_wheel_has_the_templates(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    found = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".j2")}
    wanted = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.j2")}
    assert found == {f"mstunnel_setup/templates/{name}" for name in wanted}
