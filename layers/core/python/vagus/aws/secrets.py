"""Client certificates of functions, in Secrets Manager: `vagus/<cluster>/read` and `vagus/<cluster>/write`."""

from typing import Literal

import msgspec

from vagus.aws.clients import Clients
from vagus.aws.errors import read
from vagus.errors import Malformed
from vagus.search.tls import Tls

Role = Literal["read", "write"]


def client_certificate(clients: Clients, cluster: str, role: Role) -> Tls:
    """The certificate, key and bundle of a role. Raises `Malformed`, which never quotes the secret."""
    name = f"vagus/{cluster}/{role}"
    found = read("secretsmanager", lambda: clients.secrets.get_secret_value(SecretId=name))
    try:
        return msgspec.json.decode(found["SecretString"], type=Tls)
    except (KeyError, msgspec.MsgspecError):
        remedy = 'put JSON {"certificate": PEM, "key": PEM, "ca": PEM bundle} into it'
        raise Malformed(f"secret {name} holds no client certificate: {remedy}") from None
