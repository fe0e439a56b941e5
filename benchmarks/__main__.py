"""python -m benchmarks [NAME ...]"""

import importlib
import json
import pkgutil
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

import benchmarks
from benchmarks.figure import Figure

OUT = Path(__file__).resolve().parents[1] / ".local" / "bench.json"


def names() -> list[str]:
    """The modules that have figures."""
    found = (module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    return [name for name in found if name not in ("__main__", "figure") and not name.startswith("_")]


def main(wanted: list[str]) -> int:
    """Run, print, write. Exit status 1 if a bar does not hold, 2 for a name that isn't there."""
    if unknown := set(wanted) - set(names()):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in wanted or names():
        figures += importlib.import_module(f"benchmarks.{name}").figures()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(msgspec.to_builtins(figures), indent=2) + "\n")
    _print(figures)
    return 0 if all(figure.holds for figure in figures) else 1


def _print(figures: list[Figure]) -> None:
    table = Table("what", "ours", "baseline", "ratio", "unit", "bar", "holds", show_edge=False)
    for figure in figures:
        cells = (figure.ours, figure.baseline, figure.ratio, figure.unit, figure.bar, "yes" if figure.holds else "NO")
        table.add_row(figure.name, *map(str, cells))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
