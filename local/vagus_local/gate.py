"""Whether nodes here have the gate of a starting node (`nodes/bin/search-gate`): a rule of the kernel."""

import os
import shutil

REMEDY = "run as root, with nft (package nftables): else a node that starts answers 503 for some moments"


def available() -> bool:
    """Whether this process may set rules of the kernel, and has the program that does."""
    return os.geteuid() == 0 and shutil.which("nft") is not None
