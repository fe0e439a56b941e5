"""Nodes that show what a test says, as `ports.Handshakes`."""

from vagus.handshake import Handshake


class FakeHandshakes:
    """What was seen, by instance and port. Verification is the test's: it says `failure`."""

    def __init__(self, *seen: Handshake) -> None:
        self.seen = {(one.instance, one.port): one for one in seen}

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        """All of them."""
        del bundle, closely
        return tuple(self.seen[key] for key in sorted(self.seen))
