"""What nodes here have of the kernel, which they share: the gate of one that starts (`nodes/bin/search-gate`), and who
calls it (`nodes/bin/callers`)."""

import os
import shutil
import subprocess
from functools import cache

REMEDY = "run as root, with nft (package nftables): else a node that starts answers 503 for some moments"

# what the gate needs of the kernel: a set whose entries run out, and a rule that refuses; gone before anything matches
_TRIAL = """
add table ip vagus-gate-trial
table ip vagus-gate-trial {
  set closed { type ipv4_addr; flags timeout; }
  chain input { type filter hook input priority filter; ip daddr @closed tcp dport 9200 reject with tcp reset; }
}
delete table ip vagus-gate-trial
"""


@cache
def available() -> bool:
    """Whether this process may set such a rule: asked of the kernel itself, for root in a container often may not."""
    if os.geteuid() != 0 or shutil.which("nft") is None:
        return False
    trial = ["nft", "-f", "-"]
    return subprocess.run(trial, input=_TRIAL, text=True, capture_output=True, check=False, timeout=30).returncode == 0


def forget_callers(address: str) -> None:
    """What a machine's kernel noted ends with it: here the next one may get its address. Nothing where nothing is."""
    if os.geteuid() == 0 and shutil.which("nft") is not None:
        table = ["nft", "delete", "table", "ip", f"vagus-callers-{address}"]
        subprocess.run(table, capture_output=True, check=False, timeout=30)
