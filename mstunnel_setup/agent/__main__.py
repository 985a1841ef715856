"""The agent's long-running process: `python -m mstunnel_setup.agent DIR`.

It has 60 MiB, so what only a command line needs is not loaded; `mstunnel-agent run` becomes this.
"""

import signal
import sys
import warnings
from pathlib import Path

# requests guesses encodings with it, for which it takes 2.5 MiB; what it is sent here is JSON.
sys.modules["charset_normalizer"] = None  # type: ignore[assignment]  # an import of it fails then
warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")

from mstunnel_setup.agent.loop import build_agent, requests_in_log  # noqa: E402
from mstunnel_setup.base.errors import ExitCode  # noqa: E402
from mstunnel_setup.io.own_process import keep_private  # noqa: E402


def main(root: Path) -> None:
    """Check in and keep the configuration in step, until SIGTERM."""
    keep_private()
    # At once, wherever the program is; half-written files are removed before that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.DONE))
    with requests_in_log(root):
        build_agent(root, watching=True).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
