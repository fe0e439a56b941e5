"""A pod's certificates: key, leaf and bundle are one folder that is never changed, and `current` leads to it (ADR 33).

    certificates/current -> 3f9a1c     node.key, node.pem (the leaf alone), ca.pem, and which steps made it so: `steps`
    certificates/asking                the key and the request that wait for an answer

The folder is a memory volume of the pod: a key lies on no disk and ends with its pod. A process may be killed between
any two calls: what it left half-done is removed, or gone on with, by the next.
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

import msgspec

CURRENT, ASKING = "current", "asking"
KEY, LEAF, BUNDLE, STEPS, REQUEST = "node.key", "node.pem", "ca.pem", "steps", "request.pem"
MADE, HALF = "made-", ".half-"
STEPS_KEPT = 20
MODES = {KEY: 0o600, LEAF: 0o640, BUNDLE: 0o640, STEPS: 0o640, REQUEST: 0o640}
"""The search container runs as the same user as the sidecar: nobody else reads a key."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds, in PEM. `key` is in no `repr`, so in no log."""

    key: bytes
    leaf: str
    bundle: str
    steps: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Held(steps={self.steps!r})"


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A key, the request of it, and the steps that are done once it is certified."""

    key: bytes
    request: str
    steps: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Asking(steps={self.steps!r})"


class Shelf:
    """The folder of one pod."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asking = folder / ASKING

    def held(self) -> Held | None:
        """What `current` leads to."""
        current = self._folder / CURRENT
        try:
            return Held(
                key=(current / KEY).read_bytes(),
                leaf=(current / LEAF).read_text(),
                bundle=(current / BUNDLE).read_text(),
                steps=tuple((current / STEPS).read_text().split()),
            )
        except FileNotFoundError:
            return None

    def asking(self) -> Asking | None:
        """What waits for an answer."""
        try:
            return Asking(
                key=(self._asking / KEY).read_bytes(),
                request=(self._asking / REQUEST).read_text(),
                steps=tuple((self._asking / STEPS).read_text().split()),
            )
        except FileNotFoundError:
            return None

    def begin(self, asking: Asking) -> None:
        """A new key, and its request: whole or not there."""
        half = self._half({KEY: asking.key, REQUEST: asking.request.encode(), STEPS: _lines(asking.steps)})
        self.give_up()
        half.rename(self._asking)

    def give_up(self) -> None:
        """The key that waits is for nothing any more: one rename, so that it is never there in part."""
        if not self._asking.exists():
            return
        half = self._folder / f"{HALF}{secrets.token_hex(4)}"
        self._asking.rename(half)
        shutil.rmtree(half)

    def take_up(self, held: Held) -> None:
        """From now on engines read this: one rename. Then what was before goes."""
        steps = _lines(held.steps[-STEPS_KEPT:])
        half = self._half({KEY: held.key, LEAF: held.leaf.encode(), BUNDLE: held.bundle.encode(), STEPS: steps})
        made = half.with_name(half.name.replace(HALF, MADE))
        half.rename(made)
        link = self._folder / f"{HALF}{secrets.token_hex(4)}"
        link.symlink_to(made.name)
        link.rename(self._folder / CURRENT)
        self.tidy()

    def tidy(self) -> None:
        """Remove what a killed process left behind, and what `current` does not lead to any more."""
        current = self._folder / CURRENT
        held = os.readlink(current) if current.is_symlink() else ""
        for found in self._folder.iterdir():
            if not found.name.startswith((MADE, HALF)) or found.name == held:
                continue
            if found.is_symlink():
                found.unlink()
            else:
                shutil.rmtree(found)

    def _half(self, files: dict[str, bytes]) -> Path:
        half = self._folder / f"{HALF}{secrets.token_hex(4)}"
        half.mkdir(mode=0o750)
        for name, text in files.items():
            with os.fdopen(os.open(half / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODES[name]), "wb") as file:
                file.write(text)
        return half


def _lines(words: tuple[str, ...]) -> bytes:
    return "".join(f"{one}\n" for one in words).encode()
