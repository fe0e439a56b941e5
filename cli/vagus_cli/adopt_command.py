"""`vagus adopt`: the fleet file of a cluster that runs already. Looks, and touches nothing but that file."""

import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from rich.text import Text

from vagus.cluster import Cluster
from vagus.errors import VagusError
from vagus.fleet import Name
from vagus.search.tls import Tls
from vagus_cli import adopting, fleet_files, options, output
from vagus_cli.account import Account, Door, FoundGroup
from vagus_cli.adopting import Draft
from vagus_cli.world import Choice, UsageFault

FAULTY = 1
PORT = 9200


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. `unseen`: why the cluster could not be looked at; `faults`: what `vagus fleet check` says."""

    file: str
    groups: tuple[str, ...]
    draft: Draft
    unseen: str
    faults: tuple[str, ...]


def adopt(
    context: typer.Context,
    cluster: Annotated[str, typer.Option("--cluster", help="The name that the cluster is to have in the fleet.")],
    group: Annotated[
        list[str] | None, typer.Option("--group", help="An Auto Scaling group of it; may be repeated.")
    ] = None,
    cell: Annotated[str | None, typer.Option("--cell", help="The cell that it is to lie in.")] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="https://HOST[:PORT]; unsaid: its instances, port 9200.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option("--certificate", help="Client certificate (PEM).")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Its key (PEM).")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="Whom to trust (PEM bundle).")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; unsaid: fleet/CLUSTER.yaml.")] = None,
    as_json: options.Json = False,
    target: options.Target = None,
    profile: options.Profile = None,
    region: options.Region = None,
) -> None:
    """Write the fleet file of a cluster that runs, in observe mode, with what could not be known marked.

    Exit code: 0, 1 the file has faults that a person has to mend, 2 nothing was written.
    """
    file = out or Path("fleet") / f"{cluster}.yaml"
    _usable(cluster, file)
    account = _opened(context, Choice(target=target, profile=profile, region=region))
    output.aside(account.where)
    found = account.groups(cluster, tuple(group or ()))
    _all_there(cluster, group or [], found)
    seen, unseen = _look(account, cluster, _door(url, found, _tls(certificate, key, ca)))
    made = adopting.draft(cluster, cell, account.region, found, seen)
    faults = _faults(made.text, cluster)
    file.write_text(made.text)
    names = tuple(one.name for one in found)
    output.answer(Adopted(file=str(file), groups=names, draft=made, unseen=unseen, faults=faults), as_json, _for_people)
    raise typer.Exit(FAULTY if faults else 0)


def _usable(cluster: str, file: Path) -> None:
    try:
        msgspec.convert(cluster, Name)
    except msgspec.ValidationError as error:
        raise UsageFault(f"--cluster {cluster}: lower case letters, digits and hyphens, 3 to 32 long") from error
    if file.exists():
        raise UsageFault(f"{file} exists, and what people wrote there is kept: name another with --out")
    if not file.parent.is_dir():
        raise UsageFault(f"there is no folder {file.parent}: make it, or name another file with --out")


def _opened(context: typer.Context, choice: Choice) -> Account:
    if isinstance(context.obj, Account):
        return context.obj
    from vagus_cli.opening import open_account

    return open_account(choice)


def _all_there(cluster: str, asked: list[str], found: tuple[FoundGroup, ...]) -> None:
    if missing := sorted(set(asked) - {one.name for one in found}):
        raise UsageFault(f"no Auto Scaling group {', '.join(missing)} here: check the names, --profile and --region")
    if not found:
        raise UsageFault(
            f"no Auto Scaling group has a tag with the value {cluster}, or a name that begins with {cluster}-: "
            "name its groups with --group"
        )
    if not any(one.members for one in found):
        raise UsageFault(f"no instance runs in {', '.join(one.name for one in found)}: declare the cluster by hand")


def _tls(certificate: Path | None, key: Path | None, ca: Path | None) -> Tls | None:
    given = [one for one in (certificate, key, ca) if one is not None]
    if not given:
        return None
    if certificate is None or key is None or ca is None:
        raise UsageFault("--certificate, --key and --ca go together: give all three, or none")
    try:
        return Tls(certificate=certificate.read_text(), key=key.read_text(), ca=ca.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFault(f"a certificate file can't be read: {error}") from error


def _door(url: str | None, found: tuple[FoundGroup, ...], tls: Tls | None) -> Door:
    if url is None:
        return Door(addresses=tuple(member.address for one in found for member in one.members), tls=tls)
    try:
        said = urlsplit(url)
        host, port = said.hostname, said.port or PORT
    except ValueError as error:
        raise UsageFault(f"--url {url}: {error}; it should look like https://10.0.0.1:9200") from error
    if said.scheme != "https" or host is None or said.username:
        raise UsageFault("--url: it should look like https://10.0.0.1:9200, without a user; certificates open it")
    return Door(addresses=(host,), port=port, tls=tls)


def _look(account: Account, cluster: str, door: Door) -> tuple[Cluster | None, str]:
    """The cluster, or why it could not be looked at: its groups are worth a file all the same."""
    try:
        return account.look(cluster, door), ""
    except VagusError as error:
        return None, f"{type(error).__name__}: {error}"


def _faults(text: str, cluster: str) -> tuple[str, ...]:
    """What `vagus fleet check` says of the file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{cluster}.yaml").write_text(text)
        _, problems = fleet_files.read(Path(folder))
    return tuple(f"line {one.line}: {one.field} {one.what}" for one in problems)


def _for_people(adopted: Adopted) -> Text:
    draft = adopted.draft
    text = Text.assemble((f"{adopted.file}", "bold"), f" is written: {', '.join(adopted.groups)}, mode observe\n")
    if adopted.unseen:
        text.append(f"the cluster was not seen: {adopted.unseen}\n", style="red")
    for title, style, found in (
        ("to find out (UNKNOWN in the file)", "yellow", draft.unknown),
        ("to know", "yellow", draft.findings),
        ("rules of group safety that are broken", "red", tuple(map(str, draft.violations))),
        ("faults of the file", "red", adopted.faults),
        ("then, so that Vagus finds groups and instances (nothing was tagged)", "bold", draft.tags),
    ):
        if found:
            text.append(f"{title}\n", style=style)
            text.append("".join(f"  {one}\n" for one in found))
    return text
