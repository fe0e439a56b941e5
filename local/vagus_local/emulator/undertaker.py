"""Ends every instance process once the emulator is gone, however it went (SIGKILL included).

Started by the hypervisor with the marker as argument. Its stdin is a pipe whose other end only the emulator holds: end
of file means that the emulator has ended.
"""

import os
import sys

from vagus_local.emulator import processes


def main() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass  # the emulator never writes: this returns at end of file
    processes.end(sys.argv[1])


if __name__ == "__main__":
    main()
