"""`compile.py FOLDER LEVEL`: replace sources by their compiled form, optimized to that level.

Runs in the interpreter that loads them later. What is compiled is never checked against a source.
"""

import py_compile
import sys
from pathlib import Path

folder, level = Path(sys.argv[1]), int(sys.argv[2])
for source in sorted(folder.rglob("*.py")):
    py_compile.compile(
        str(source),
        cfile=str(source.with_suffix(".pyc")),
        dfile=str(source.relative_to(folder)),
        doraise=True,
        optimize=level,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    source.unlink()
