"""Packs nodes/ as it lies in the artifact bucket: nodes/<SHA-256>.tar.gz, the same bytes for the same content.

User data is boot.sh alone (EC2 takes 16 KB); what belongs beside it comes in this bundle, and the node parameter
`nodes-bundle` names it, so that what a node runs is what was reviewed.
"""

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

NODES = Path(__file__).resolve().parents[2] / "nodes"


def bundle(nodes: Path = NODES) -> tuple[str, bytes]:
    """The object's key and content. Times, owners and order don't go in."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in sorted(p for p in nodes.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            entry = tarfile.TarInfo(str(path.relative_to(nodes)))
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)
    compressed = gzip.compress(packed.getvalue(), mtime=0)
    return f"nodes/{hashlib.sha256(compressed).hexdigest()}.tar.gz", compressed


def main(arguments: list[str]) -> int:
    """python -m vagus_local.bundle FOLDER: writes the bundle below FOLDER and prints its key."""
    key, content = bundle()
    target = Path(arguments[0]) / key
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    print(key)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
