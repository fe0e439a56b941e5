"""Gives each checkout a loopback network of its own, so that two local stacks run side by side on AWS's ports.

A network is a prefix such as 127.23.4: hosts .1 to .254 below it. The claim is a lock held by this process (a killed
stack gives it back by dying), not a file that somebody must remember to delete.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from vagus_local.artifacts import cache_folder

SECOND, THIRD = range(23, 63), range(1, 5)  # 160 networks; 127.0.* is left to what people run by hand


class NoFreeNetwork(Exception):
    """Every network is claimed by a running stack: permanent until one of them is taken down."""


@dataclass
class Network:
    """A claimed prefix. Closing it, or the end of the process that claimed it, frees it."""

    prefix: str
    _claim: IO[str]

    def address(self, host: int) -> str:
        """The address of a host, 1 to 254."""
        if not 1 <= host <= 254:
            raise ValueError(f"host {host} is not within 1 to 254")
        return f"{self.prefix}.{host}"

    def close(self) -> None:
        """Gives the prefix back."""
        self._claim.close()

    def fileno(self) -> int:
        """To hand the claim to a child (pass_fds), which then keeps it for as long as it lives."""
        return self._claim.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def prefixes() -> Iterator[str]:
    """All networks, in the order in which they are tried."""
    yield from (f"127.{second}.{third}" for second in SECOND for third in THIRD)


def claim_network(folder: Path | None = None) -> Network:
    """Takes the first free network. `folder` holds the locks (default: in the cache). Raises NoFreeNetwork."""
    locks = folder or cache_folder() / "networks"
    locks.mkdir(parents=True, exist_ok=True)
    for prefix in prefixes():
        handle = (locks / prefix).open("a+")
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sign(handle)
            return Network(prefix, handle)
        handle.close()
    raise NoFreeNetwork(f"all networks in {locks} are claimed by running stacks: take one down (make down)")


def _sign(handle: IO[str]) -> None:
    """Notes who holds it, for a person who wonders."""
    handle.seek(0)
    handle.truncate()
    handle.write(f"pid {os.getpid()} in {Path.cwd()}\n")
    handle.flush()
