"""What `journalctl -x` explains: every line of agent and monitor, and what they may report."""

import re
import subprocess
from pathlib import Path

from mstunnel_setup.base.log_line import DeclaredLine, message_id
from scripts.docs import CATALOGUE
from scripts.error_codes import declarations


def test_each_line_and_the_errors_are_in_the_catalogue_once() -> None:
    ids = re.findall(r"^-- ([0-9a-f]{32})$", CATALOGUE.read_text(), re.MULTILINE)
    assert len(ids) == len(set(ids)) > 300
    assert {
        message_id(item.code) for item in declarations().values() if isinstance(item, DeclaredLine)
    } < set(ids)
    assert message_id("container-failed") in ids


def test_an_entry_says_what_to_do_in_the_words_of_the_declaration() -> None:
    text = CATALOGUE.read_text()
    probe = text.partition(f"-- {message_id('probe-url-invalid')}\n")[2].partition("\n-- ")[0]
    assert probe.startswith("Subject: probe-url-invalid: the site's URL")
    assert "\nCorrect it in the admin center.\n" in probe
    # Values are only known to the entry that is explained.
    restart = text.partition(f"-- {message_id('restart')}\n")[2].partition("\n-- ")[0]
    assert "\n@MSTUNNEL_HINT@\n" in restart


def test_systemd_reads_the_whole_catalogue(tmp_path: Path) -> None:
    (tmp_path / "var/lib/systemd/catalog").mkdir(parents=True)
    place = tmp_path / "usr/lib/systemd/catalog/mstunnel.catalog"
    place.parent.mkdir(parents=True)
    place.write_text(CATALOGUE.read_text())
    journalctl = ["journalctl", f"--root={tmp_path}"]
    done = subprocess.run([*journalctl, "--update-catalog"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    listed = subprocess.run([*journalctl, "--list-catalog"], capture_output=True, text=True, check=True)
    wanted = re.findall(r"^-- ([0-9a-f]{32})$", CATALOGUE.read_text(), re.MULTILINE)
    assert sorted(line.split()[0] for line in listed.stdout.splitlines()) == sorted(wanted)
