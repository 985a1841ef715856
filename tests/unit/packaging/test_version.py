"""The version stands in one place, and one command repeats it where others read it."""

import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from scripts import ROOT
from scripts.release import version

PLACES = ("mstunnel_setup/__init__.py", "ansible/galaxy.yml", "contrib/helm/mstunnel/Chart.yaml")


@pytest.mark.parametrize(
    ("given", "semantic"),
    [("0.2.0", "0.2.0"), ("0.3.0.dev0", "0.3.0-dev0"), ("1.0.0rc1", "1.0.0-rc1")],
)
def test_a_version_is_written_wherever_it_is_read(
    given: str, semantic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PLACES:
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(version, "ROOT", tmp_path)
    version.write(given)
    program, collection, chart = (tmp_path / name for name in PLACES)
    assert f'__version__ = "{given}"\n' in program.read_text()
    assert YAML(typ="safe").load(collection)["version"] == semantic
    loaded = YAML(typ="safe").load(chart)
    assert (loaded["appVersion"], loaded["version"]) == (given, semantic)


@pytest.mark.parametrize("given", ["0.3", "v0.3.0", "0.3.0-dev0", "next"])
def test_what_is_no_version_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        version.semantic(given)
