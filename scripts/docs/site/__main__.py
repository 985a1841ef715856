"""Write the pages that follow from the code, build the documentation site and check its links.

    python -m scripts.docs.site [DIRECTORY]

Without DIRECTORY, which must be new, it replaces build/site.

Exit code 1: Sphinx has a warning, or a link within the site leads nowhere; all are printed. Addresses of
other sites are not opened but listed, in DIRECTORY/external-links.txt.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts import ROOT
from scripts.develop.locked_environment import locked_environment
from scripts.docs import reference
from scripts.docs.site.links import links

HERE = Path(__file__).parent
# The page that people open has no directory before it.
FRONT = (
    '<!doctype html><title>mstunnel-setup</title><meta http-equiv="refresh" content="0; url=docs/index.html">'
)


def main(arguments: list[str]) -> int:
    """Build, then check. The exit code."""
    site = Path(arguments[0]).resolve() if arguments else ROOT / "build/site"
    if not arguments:
        shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    reference.main()
    if not _built(site):
        return 1
    (site / "index.html").write_text(f"{FRONT}\n")
    found = links(site)
    (site / "external-links.txt").write_text("".join(f"{link}\n" for link in found.external))
    for line in found.dead:
        print(f"dead link: {line}", file=sys.stderr)
    print(f"site: {site / 'index.html'}; external links, not opened: {len(found.external)}")
    return 1 if found.dead else 0


def _built(site: Path) -> bool:
    """Whether Sphinx writes the pages without a warning."""
    sphinx = [str(locked_environment("docs")), "-m", "sphinx", "--quiet", "--jobs", "2", "--fail-on-warning"]
    with TemporaryDirectory() as doctrees:
        directories = ["--conf-dir", str(HERE), "--doctree-dir", doctrees, str(ROOT), str(site)]
        return subprocess.run([*sphinx, *directories], check=False, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
