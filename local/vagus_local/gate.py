"""Whether nodes here have the gate of a starting node (`nodes/bin/search-gate`): a rule of the kernel."""

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
