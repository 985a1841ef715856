"""Prints `whole` when each file of this folder has the size it was made with; imports next to nothing."""

import posix


def state(folder: str) -> str:
    """`whole`, the last line of the manifest, or what is wrong with a file of `folder`."""
    with open(f"{folder}/manifest") as manifest:
        for line in manifest:
            if line == "whole\n":
                return "whole"
            match line.rstrip("\n").split(" ", 2):
                case [_digest, size, path]:
                    found = posix.stat(f"{folder}/{path}").st_size
                    if found != int(size):
                        return f"{path} has {found} bytes instead of {size}"
                case _:
                    break
    return "the manifest is cut off"


if __name__ == "__main__":
    print(state(__file__.rpartition("/")[0]))
