"""The modules of the program in one file: an import is one read, without a search through directories.

The file `modules` has the size of its index (8 bytes), the index (marshal), and the code of one module after
the other. The index has where in that the code of each module begins, its size, and whether it is a package;
a namespace has no code. scripts/bundle/pack.py writes it.

`packed_modules.pyc -m MODULE | -c CODE | FILE` runs what an interpreter runs with these arguments.
"""

import fcntl
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.resources.readers import FileReader
    from types import CodeType, ModuleType

_LIBRARY = os.path.dirname(os.path.abspath(__file__))
_SIZE_BYTES = 8


class PackedModules:
    """Finds and loads modules (importlib.abc). Its file stays open: what replaces it is not mixed in."""

    def __init__(self, path: str) -> None:
        """Read the index. Raises OSError."""
        opened = os.open(path, os.O_RDONLY)
        # Not one of the numbers of the standard streams, should one of them be closed.
        self._file = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 3)
        os.close(opened)
        self.path = path
        size = int.from_bytes(os.pread(self._file, _SIZE_BYTES, 0), "big")
        self._begin = _SIZE_BYTES + size
        self._index: dict[str, tuple[int, int, bool]] = marshal.loads(os.pread(self._file, size, _SIZE_BYTES))

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """A module of the file, which is its origin."""
        if name not in self._index:
            return None
        is_package = self.is_package(name)
        spec = ModuleSpec(name, self, origin=self.path, is_package=is_package)  # type: ignore[arg-type]
        if is_package:
            # Libraries in C and the files of a package have kept their places.
            spec.submodule_search_locations = [_place(name)]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to the interpreter."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the code of a module."""
        name = module.__name__
        module.__file__ = f"{_place(name)}/__init__.pyc" if self.is_package(name) else f"{_place(name)}.pyc"
        exec(self.get_code(name) or "", module.__dict__)

    def get_code(self, name: str) -> "CodeType | None":
        """The code of a module; None for a namespace."""
        start, size, _is_package = self._index[name]
        return marshal.loads(os.pread(self._file, size, self._begin + start)) if size else None

    def is_package(self, name: str) -> bool:
        """Whether a module is a package."""
        return self._index[name][2]

    def get_resource_reader(self, name: str) -> "FileReader":
        """The files of a package (importlib.resources)."""
        from importlib.resources.readers import FileReader
        from types import SimpleNamespace

        return FileReader(SimpleNamespace(path=f"{_place(name)}/__init__.pyc"))  # type: ignore[arg-type]


def _place(name: str) -> str:
    return f"{_LIBRARY}/{name.replace('.', '/')}"


def use_packed_modules() -> None:
    """Import what is in the file from there."""
    sys.meta_path.insert(0, PackedModules(f"{_LIBRARY}/modules"))


def _run(arguments: list[str]) -> None:
    import runpy

    match arguments:
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *rest]:
            sys.argv = ["-c", *rest]
            exec(code, {"__name__": "__main__"})
        case [file, *rest]:
            sys.argv = [file, *rest]
            runpy.run_path(file, run_name="__main__")
        case _:
            sys.exit("give -m MODULE, -c CODE, or FILE")


if __name__ == "__main__":
    use_packed_modules()
    _run(sys.argv[1:])
