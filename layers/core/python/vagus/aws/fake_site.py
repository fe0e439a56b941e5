"""In-memory stand-in for the objects of a site. Each put notes when it was made, by a clock that is the store's own."""

from collections.abc import Callable

from vagus.errors import Conflict
from vagus.ports import Stored


class FakeSiteObjects:
    """Objects by key. Versions count from 1, over all of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._puts = 0
        self.objects: dict[str, Stored] = {}

    def get(self, key: str) -> Stored | None:
        """One, or `None`."""
        return self.objects.get(key)

    def put(self, key: str, text: bytes, over: Stored | None) -> None:
        """Put one in place of `over`."""
        there = self.objects.get(key)
        if (there.version if there else None) != (over.version if over else None):
            raise Conflict(f"{key}: another wrote it at the same time")
        self.there(key, text)

    def there(self, key: str, text: bytes) -> None:
        """As the other side puts it: over whatever lies there."""
        self._puts += 1
        self.objects[key] = Stored(text=text, at=self._clock(), version=str(self._puts))
