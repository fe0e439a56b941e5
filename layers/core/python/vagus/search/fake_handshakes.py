"""Nodes that show what a test says, as `ports.Handshakes`."""

from vagus.handshake import Handshake


class FakeHandshakes:
    """What was seen, by instance and port. Verification is the test's: it says `failure`."""

    def __init__(self, *seen: Handshake) -> None:
        self.seen = {(one.instance, one.port): one for one in seen}

    def all(self, bundle: str, *, closely: bool = False) -> tuple[Handshake, ...]:
        """All of them."""
        del bundle, closely
        return tuple(self.seen[key] for key in sorted(self.seen) if "." not in key[0])

    def endpoint(self, name: str, port: int, bundle: str) -> Handshake:
        """The one of that name and port."""
        del bundle
        nobody = Handshake(instance=name, address=name, port=port, failure="no TLS handshake")
        return self.seen.get((name, port), nobody)
