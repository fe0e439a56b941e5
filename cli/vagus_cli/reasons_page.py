"""Makes `docs/reasons.md` of `vagus/reasons.py`: python -m vagus_cli.reasons_page > docs/reasons.md"""

import ast
import inspect
import sys
from collections.abc import Iterator

import msgspec

from vagus import reasons
from vagus.reasons import Reason
from vagus_cli.ways_out import WAYS_OUT

HEAD = """\
# Reasons

Every plan carries a reason: it stands in the console, in `vagus plan`, in the records and in the subject of a page. A
reason never changes its name, so that alarms and runbooks can rely on it. Beside each stands what a person does about
it; where nothing is said, nothing is to be done.

(Made of `layers/core/python/vagus/reasons.py` by `python -m vagus_cli.reasons_page > docs/reasons.md`.)
"""


class Documented(msgspec.Struct, frozen=True):
    """A reason as its source tells it: the group's comment above it, and the sentence below it."""

    reason: Reason
    group: str
    sentence: str


def documented() -> list[Documented]:
    """Every reason in the order of the source. Raises ValueError for one without a sentence."""
    source = inspect.getsource(reasons)
    return list(_documented(source.splitlines(), _body(source)))


def page() -> str:
    """The whole page."""
    parts, group = [HEAD], ""
    for one in documented():
        if one.group != group:
            group = one.group
            parts.append(
                f"\n## {group[0].upper()}{group[1:]}\n\n| reason | what it says | what to do |\n| --- | --- | --- |\n"
            )
        parts.append(f"| `{one.reason}` | {one.sentence} | {WAYS_OUT.get(one.reason, '')} |\n")
    return "".join(parts)


def _body(source: str) -> list[ast.stmt]:
    (made,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return made.body


def _documented(lines: list[str], body: list[ast.stmt]) -> Iterator[Documented]:
    group = ""
    for statement, below in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.Assign):
            continue
        above = lines[statement.lineno - 2].strip()
        group = above.removeprefix("# ") if above.startswith("# ") else group
        name = ast.unparse(statement.targets[0])
        if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
            raise ValueError(f"{name} has no sentence below it")
        yield Documented(Reason[name], group, inspect.cleandoc(str(below.value.value)).replace("\n", " "))


if __name__ == "__main__":
    sys.stdout.write(page())
