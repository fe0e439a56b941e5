"""The command line, against this tier's own stack."""

from pathlib import Path

from typer.testing import CliRunner

from vagus_cli.main import app
from vagus_cli.opening import open_world
from vagus_cli.world import Choice, World


def vagus(folder: Path, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """What `vagus` prints; raises where it ends with another exit code than these."""

    def opened(choice: Choice) -> World:
        return open_world(choice, folder)

    said = CliRunner().invoke(app, list(arguments), obj=opened, catch_exceptions=False)
    assert said.exit_code in codes, said.output
    return str(said.stdout)
