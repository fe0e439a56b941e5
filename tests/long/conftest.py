"""What takes minutes apiece, on the stack of `tests/e2e`: run by hand, `make long`; no part of `make test` or of CI."""

from tests.e2e.conftest import fleet, folder, stack, trio, ward

__all__ = ["fleet", "folder", "stack", "trio", "ward"]
