"""A bucket in memory, as `bucket.Bucket`."""

from vagus.errors import VagusError


class FakeBucket:
    """Objects by key. `away`: what every call raises while it is set."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.away: VagusError | None = None

    def get(self, key: str) -> bytes | None:
        """What was put, or `None`."""
        self._reach()
        return self.objects.get(key)

    def put(self, key: str, body: bytes) -> None:
        """Put it."""
        self._reach()
        self.objects[key] = body

    def _reach(self) -> None:
        if self.away is not None:
            raise self.away
