"""Runs on the server: write what many runs write, which is what the last run wrote, again and again.

`long_journal.py RECORDS` ends once so many records were written. It compacts none of them, as runs that were
killed leave them. Prints how many records and bytes there are.
"""

import sys
from pathlib import Path

from mstunnel_setup.base import paths
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.journal import Journal

_OF_EACH_RECORD = {"version", "sequence", "time", "type"}
# An import of a certificate writes about as many.
_RUN = 12


def main(count: int) -> None:
    """Write so many records."""
    journal = Journal(Files(), Clock(), paths.STATE)
    run = journal.records[-_RUN:]
    for _ in range(count // len(run)):
        for record in run:
            fields = {name: value for name, value in record.items() if name not in _OF_EACH_RECORD}
            journal.append(str(record["type"]), **fields)
    journal.close()
    sys.stdout.write(f"{len(journal.records)} {Path(journal.path).stat().st_size}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
