"""`mstunnel-setup self licences`: the notices of everything that the program brings."""

import sys
from pathlib import Path

import pytest

from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app


@pytest.mark.parametrize("word", ["licences", "licenses"])
def test_the_notices_are_shown_in_either_spelling(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "licenses").write_text("libc6 (Debian)\n\nGNU LESSER GENERAL PUBLIC LICENSE\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    assert run_app(setup.app, "mstunnel-setup", ("self", word)) == 0
    assert "libc6 (Debian)\n\nGNU LESSER GENERAL PUBLIC LICENSE\n" in capsys.readouterr().out
