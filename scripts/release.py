"""What every release has beside its files: where they come from, and their SHA-256 sums."""

import hashlib
from pathlib import Path

from scripts import provenance

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.minisig"
PROVENANCE = "provenance.json"


def finish(folder: Path, epoch: str) -> None:
    """Write the provenance and the sums of all that is in `folder`, built for `epoch`, and print its names.

    A signature of other sums is removed.
    """
    made = sorted(path for path in folder.iterdir() if path.name not in {SUMS, SIGNATURE, PROVENANCE})
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in made}
    statement = provenance.statement(digests, epoch).encode()
    (folder / PROVENANCE).write_bytes(statement)
    digests[PROVENANCE] = hashlib.sha256(statement).hexdigest()
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    sums = folder / SUMS
    if not sums.is_file() or sums.read_text() != lines:
        (folder / SIGNATURE).unlink(missing_ok=True)
    sums.write_text(lines)
    for name in sorted(digests):
        print(f"{folder.name}/{name}")
