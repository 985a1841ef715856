"""The agent's long-running process: `python -m mstunnel_setup.agent DIR`.

It may use 60 MiB, so modules that only a command line needs are not loaded; `mstunnel-agent run` becomes
this.
"""

import signal
import sys
import warnings
from pathlib import Path

# requests uses it to guess encodings, at a cost of 2.5 MiB; all responses here are JSON.
sys.modules["charset_normalizer"] = None  # type: ignore[assignment]  # an import of it fails then
warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")

from mstunnel_setup.agent.loop import build_agent, requests_in_log  # noqa: E402
from mstunnel_setup.base.errors import ExitCode  # noqa: E402
from mstunnel_setup.io.own_process import keep_private  # noqa: E402


def main(root: Path) -> None:
    """Check in and keep the configuration up to date, until SIGTERM."""
    keep_private()
    # SIGTERM ends the program at any point. sys.exit() raises, so that half-written files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.DONE))
    with requests_in_log(root):
        build_agent(root, watching=True).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
