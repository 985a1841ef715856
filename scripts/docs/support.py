"""What shells and `man` know of the programs: completions and manual pages, in the folder `support`."""

from scripts.docs import command_tree, completion, manual


def files(epoch: int) -> dict[str, str]:
    """Each file by its path, pages dated `epoch` seconds after 1970.

    Where a host has each of the folders is in mstunnel_setup/install/steps/program.py.
    """
    found = {f"support/man{name[-1]}/{name}": text for name, text in manual.pages(epoch).items()}
    for name in command_tree.ON_SERVERS:
        program = command_tree.program(name)
        found[f"support/bash/{name}"] = completion.bash(program)
        found[f"support/fish/{name}.fish"] = completion.fish(program)
        found[f"support/zsh/_{name}"] = completion.zsh(program)
    return found
