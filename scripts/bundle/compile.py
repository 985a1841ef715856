"""`compile.py FOLDER LEVEL`: replace sources with their compiled form, optimized at LEVEL (py_compile).

Runs in the interpreter that loads them later. What is compiled is never checked against a source.
"""

import py_compile
import sys
from pathlib import Path

for source in sorted(Path(sys.argv[1]).rglob("*.py")):
    py_compile.compile(
        str(source),
        cfile=str(source.with_suffix(".pyc")),
        dfile=str(source.relative_to(sys.argv[1])),
        doraise=True,
        optimize=int(sys.argv[2]),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    source.unlink()
