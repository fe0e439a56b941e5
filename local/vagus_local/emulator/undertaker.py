"""Ends every process of the emulator, instances and functions, once it is gone, however it went (SIGKILL included).

The undertaker is a process of its own with the marker as argument. Its stdin is a pipe whose other end only the
emulator holds: end of file means that the emulator has ended, or asks for it.
"""

import os
import subprocess
import sys
from pathlib import Path

from vagus_local.emulator import processes


class Undertaker:
    """The emulator's side. Processes are found by the marker in the environment that they inherit from here."""

    def __init__(self, marker: str) -> None:
        os.environ[processes.MARKER] = marker  # of children: what /proc shows of the emulator itself does not change
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vagus_local.emulator.undertaker", marker],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C goes to the terminal's group: it must outlive that
            env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ.get("PATH", os.defpath)},
        )

    def close(self) -> None:
        """End everything; returns when nothing is left."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def main() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass  # the emulator never writes: this returns at end of file
    processes.end(sys.argv[1])


if __name__ == "__main__":
    main()
