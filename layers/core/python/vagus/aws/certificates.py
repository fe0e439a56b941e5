"""What the certificates capability has of AWS: keys of authorities in KMS, requests in S3, who asks from EC2, and the
secrets of Vagus's own client certificates."""

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.aws.private_ca import AcmPrivateAuthorities
from vagus.errors import Refused
from vagus.fleet import ClusterSpec
from vagus.instances import Asker
from vagus.ports import Signers
from vagus.trust import Slot


class KmsAuthorityKeys:
    """Keys by their alias, `alias/vagus/<cell>/<cluster>/authority-<slot>`: the one name that roles may sign with."""

    def __init__(self, clients: Clients, cell: str) -> None:
        self._clients, self._cell = clients, cell

    def public(self, cluster: str, slot: Slot) -> bytes:
        """The public key in DER."""
        key = self._alias(cluster, slot)
        return read("kms", lambda: self._clients.kms.get_public_key(KeyId=key))["PublicKey"]

    def sign(self, cluster: str, slot: Slot, digest: bytes) -> bytes:
        """A signature in DER. Nothing is changed by it, so that it is tried again."""
        key = self._alias(cluster, slot)
        return read(
            "kms",
            lambda: self._clients.kms.sign(
                KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
            ),
        )["Signature"]

    def _alias(self, cluster: str, slot: Slot) -> str:
        return f"alias/vagus/{self._cell}/{cluster}/authority-{slot}"


def signers(clients: Clients, spec: ClusterSpec) -> Signers:
    """What a cluster's authority signs by: a private CA that its fleet file declares, or a key in KMS."""
    if spec.certificates.issuer == "private_ca":
        return AcmPrivateAuthorities(clients, {spec.name: spec.certificates.private_cas})
    return KmsAuthorityKeys(clients, spec.cell)


class S3Requests:
    """Requests and answers as objects."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, bucket: str, key: str) -> bytes | None:
        """What a node put, or `None`."""
        s3 = self._clients.s3
        try:
            return read("s3", lambda: s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except Refused as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return None
            raise

    def answer(self, bucket: str, key: str, answer: bytes) -> None:
        """Put it where the node looks."""
        with translated("s3"):
            self._clients.s3.put_object(Bucket=bucket, Key=key, Body=answer)


class Ec2Askers:
    """Instances by id."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def of(self, instance: str) -> Asker | None:
        """What EC2 says of it. A filter, not an id: of one that is unknown it finds none, instead of an error."""
        wanted = [{"Name": "instance-id", "Values": [instance]}]
        pages = read("ec2", lambda: self._clients.ec2.describe_instances(Filters=wanted))  # type: ignore[arg-type]  # plain
        found = [one for group in pages["Reservations"] for one in group["Instances"]]
        if not found:
            return None
        tags = {tag["Key"]: tag["Value"] for tag in found[0].get("Tags", [])}
        interfaces = [one["PrivateIpAddress"] for one in found[0].get("NetworkInterfaces", [])]
        address = found[0].get("PrivateIpAddress")
        return Asker(
            instance=instance,
            state=found[0]["State"]["Name"],
            addresses=tuple(sorted({*interfaces, *([address] if address else [])})),
            cell=tags.get("vagus:cell", ""),
            cluster=tags.get("vagus:cluster", ""),
        )


class ClientSecrets:
    """Secrets of Vagus's functions."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, cluster: str, role: str, value: str) -> None:
        """A new version of it."""
        with translated("secretsmanager"):
            self._clients.secrets.put_secret_value(SecretId=f"vagus/{cluster}/{role}", SecretString=value)
