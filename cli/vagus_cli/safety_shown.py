"""What the last examination of a cluster's groups found (`vagus.group_safety`), as `vagus status` shows it."""

from rich.text import Text

from vagus.status import SafetyShown


def text(shown: SafetyShown) -> Text:
    """A line for each broken rule, or one that says that there is none."""
    if shown.fault:
        return Text(f"group safety: not examined since {shown.at}: {shown.fault}", style="red")
    if not shown.at:
        return Text("group safety: not examined yet", style="dim")
    if not shown.violations:
        return Text(f"group safety: no rule is broken ({shown.at})", style="green")
    lines = [Text(f"group safety ({shown.at}):", style="bold red")]
    lines += [Text(f"  {one}", style="red") for one in shown.violations]
    return Text("\n").join(lines)
