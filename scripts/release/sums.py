"""What every release has beside its files: their images in one archive, where all comes from, and sums."""

import hashlib
from pathlib import Path

from scripts.bundle import image_index
from scripts.release import provenance

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.minisig"
PROVENANCE = "provenance.json"


def finish(folder: Path, epoch: str) -> None:
    """Write the archive of all images, provenance and sums of what is in `folder`, and print its names.

    All was built for `epoch`, in seconds since 1970. A signature of other sums is removed.
    """
    image_index.write(folder, int(epoch))
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
