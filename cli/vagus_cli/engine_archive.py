"""Whether the artifact bucket has the engine that a fleet file says. Asked with a person's own rights; reads only.

Beside `opening`, this is where the command line knows AWS.
"""

from vagus.aws.clients import Clients
from vagus.aws.errors import read
from vagus.fleet import ClusterSpec
from vagus_cdk import names
from vagus_cli.world import Archive

FOLDER = "engines/"


def look(clients: Clients, spec: ClusterSpec) -> Archive:
    """List the bucket that the cluster's nodes fetch from. Raises `VagusError`: `Denied` where a right is missing.

    Only that the files are there is seen; whether the archive is whole, nodes see by its SHA-256.
    """
    parameter = names.node_parameter(spec.name, "artifact-bucket")
    bucket = read("ssm", lambda: clients.ssm.get_parameter(Name=parameter))["Parameter"]["Value"]
    archive = f"{FOLDER}{spec.engine.name}-{spec.engine.version}.tar.gz"
    listed = read("s3", lambda: clients.s3.list_objects_v2(Bucket=bucket, Prefix=archive))
    there = {one["Key"] for one in listed.get("Contents", [])}
    absent = tuple(key.removeprefix(FOLDER) for key in (archive, f"{archive}.sha256") if key not in there)
    return Archive(where=f"s3://{bucket}/{FOLDER}", absent=absent)


def on_this_machine(_: ClusterSpec) -> Archive:
    """Nodes of the local stack take engines from this machine's cache: no bucket is asked."""
    return Archive(where="this machine's cache")
