"""Build the documentation site and check its links: `python -m scripts.site [DIRECTORY]`, else build/site.

Exit code 1: Sphinx has a warning, or a link within the site leads nowhere; all are printed. Addresses of
other sites are not opened but listed, in DIRECTORY/external-links.txt.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from scripts.locked_environment import ROOT, locked_environment
from scripts.site.links import links

HERE = Path(__file__).parent
# The page that people open has no directory before it.
FRONT = (
    '<!doctype html><title>mstunnel-setup</title><meta http-equiv="refresh" content="0; url=docs/index.html">'
)


def main(arguments: list[str]) -> int:
    """Build, then check. The exit code."""
    site = (Path(arguments[0]) if arguments else ROOT / "build/site").resolve()
    shutil.rmtree(site, ignore_errors=True)
    sphinx = [str(locked_environment("docs")), "-m", "sphinx", "--quiet", "--jobs", "2"]
    strict = ["--fail-on-warning", "--conf-dir", str(HERE), "--doctree-dir", str(site / ".doctrees")]
    if subprocess.run([*sphinx, *strict, str(ROOT), str(site)], check=False, cwd=ROOT).returncode:
        return 1
    (site / "index.html").write_text(f"{FRONT}\n")
    found = links(site)
    (site / "external-links.txt").write_text("".join(f"{link}\n" for link in found.external))
    for line in found.dead:
        print(f"dead link: {line}", file=sys.stderr)
    print(f"site: {site / 'index.html'}; external links, not opened: {len(found.external)}")
    return 1 if found.dead else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
