"""`start.py FILE ARGUMENT…`: run the program that the name of FILE means, with what is in this folder.

FILE is the one file, which marked this folder as complete, or the launcher of a package.
"""

import fcntl
import os
import sys

from packed_modules import use_packed_modules

FOLDER = os.path.dirname(os.path.abspath(__file__))


def isolate() -> None:
    """Keep the host's own modules for names (sssd, systemd) out of our C library: files and DNS only.

    What only such a module knows is read with the host's `getent` (mstunnel_setup.io.accounts).
    """
    import ctypes

    configure = ctypes.CDLL(None)["__nss_configure_lookup"]
    for database, sources in ((b"passwd", b"files"), (b"group", b"files"), (b"hosts", b"files dns")):
        configure(database, sources)


def rename(name: str) -> None:
    """Show `name` in lists of processes, in place of that of the loader (prctl(2)).

    Not through /proc, where the files of a process whose loader its user cannot read belong to root.
    """
    import ctypes

    ctypes.CDLL(None).prctl(15, name.encode())  # PR_SET_NAME


def hold() -> None:
    """Mark this version as in use while the process lives, so that no other removes it."""
    folder = os.open(FOLDER, os.O_RDONLY)
    # Not one of the numbers of the standard streams, should one of them be closed.
    held = fcntl.fcntl(folder, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(folder)
    fcntl.flock(held, fcntl.LOCK_SH)


def tidy() -> None:
    """Remove what other versions and interrupted runs left beside this folder, if that is possible."""
    place = os.path.dirname(FOLDER)
    try:
        if len(os.listdir(place)) > 1 and os.access(place, os.W_OK):
            sys.path.append(FOLDER)
            from tidy import remove_others

            remove_others(FOLDER)
    except OSError:
        # It never decides whether the program starts.
        pass


if __name__ == "__main__":
    use_packed_modules()
    from mstunnel_setup.cli.dispatch import receive_environment, run, version_shown

    receive_environment()
    if os.path.exists(f"{FOLDER}/complete"):
        hold()
        tidy()
        os.environ["MSTUNNEL_ONE_FILE"] = os.path.realpath(sys.argv[1])
    sys.argv[:2] = [sys.argv[1]]
    if os.path.exists(f"{FOLDER}/program"):
        # The file has one program, which it is by any name.
        with open(f"{FOLDER}/program") as given:
            sys.argv[0] = given.read()
    sys.executable = f"{FOLDER}/bin/python"
    code = 0
    if not version_shown():
        isolate()
        rename(os.path.basename(sys.argv[0]))
        code = run()
    # The process ends here: taking apart what was loaded would take a twentieth of a short command.
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.flush()
    os._exit(code)
