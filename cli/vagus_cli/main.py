"""The `vagus` command: its subcommands, and how a failure is said.

Exit codes: 0 all is well; 1 a check failed (fleet check, doctor, replay of a malformed event, a stack that is not up);
2 the command failed, with one sentence that names the way out; 3 something is due (plan); 4 a person is needed (plan,
status, dlq show).
"""

from typing import Any

import typer
from typer.core import TyperGroup

from vagus.errors import VagusError
from vagus_cli import output
from vagus_cli.adopt_command import adopt
from vagus_cli.certificates_commands import acknowledge, certificates, certify, rotate
from vagus_cli.dlq_command import dlq_app
from vagus_cli.doctor_command import doctor
from vagus_cli.executions_command import executions
from vagus_cli.fleet_commands import fleet_app
from vagus_cli.local_commands import local_app
from vagus_cli.people_commands import approve, resume, stop
from vagus_cli.plan_command import plan
from vagus_cli.records_command import records_app
from vagus_cli.replay_command import replay
from vagus_cli.rolling_commands import abort, replace_instances, restart_nodes, upgrade_nodes
from vagus_cli.status_command import status
from vagus_cli.takeover_command import takeover

FAILED = 2


class InOneSentence(TyperGroup):
    """Says an expected error in a sentence, without a traceback. A defect of ours still shows one."""

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except VagusError as error:
            output.fault(str(error))
            raise typer.Exit(FAILED) from error


app = typer.Typer(
    cls=InOneSentence,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks print local variables: keys and certificates among them
    help="Self-run search clusters, kept in balance.",
)
app.command()(status)
app.command()(plan)
app.command()(approve)
app.command()(stop)
app.command()(resume)
app.command("restart")(restart_nodes)
app.command("upgrade")(upgrade_nodes)
app.command("replace")(replace_instances)
app.command()(abort)
app.command()(executions)
app.command()(takeover)
app.command()(certificates)
app.command()(certify)
app.command()(rotate)
app.command()(acknowledge)
app.command()(replay)
app.command()(doctor)
app.command()(adopt)
app.add_typer(fleet_app, name="fleet")
app.add_typer(records_app, name="records")
app.add_typer(dlq_app, name="dlq")
app.add_typer(local_app, name="local")


def main() -> None:
    """Entry point."""
    app()
