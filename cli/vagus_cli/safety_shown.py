"""What the last examination of a cluster's groups found (`vagus.group_safety`), as `vagus status` shows it."""

import msgspec
from rich.text import Text

from vagus.group_safety import Violation
from vagus.ports import Table
from vagus.procedure import safety


class SafetyShown(msgspec.Struct, frozen=True, kw_only=True):
    """`at`: when the sweep examined the groups last; empty before the first time, at most an hour after a deploy."""

    at: str = ""
    violations: tuple[Violation, ...] = ()


def found(table: Table, cluster: str) -> SafetyShown:
    """What is noted of a cluster's groups."""
    noted = safety.noted(table, cluster)
    return SafetyShown() if noted is None else SafetyShown(at=noted.at, violations=noted.violations)


def text(shown: SafetyShown) -> Text:
    """A line for each broken rule, or one that says that there is none."""
    if not shown.at:
        return Text("group safety: not examined yet", style="dim")
    if not shown.violations:
        return Text(f"group safety: no rule is broken ({shown.at})", style="green")
    lines = [Text(f"group safety ({shown.at}):", style="bold red")]
    lines += [Text(f"  {one}", style="red") for one in shown.violations]
    return Text("\n").join(lines)
