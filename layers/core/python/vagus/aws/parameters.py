"""SSM parameters as `ports.Parameters`."""

from vagus.aws.clients import Clients
from vagus.aws.errors import translated
from vagus.errors import Refused


class SsmParameters:
    """Parameters that booting nodes read: plain strings, no secrets."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, name: str, value: str) -> None:
        """Put or overwrite one. Raises `Refused` for a value that SSM doesn't take, such as an empty one."""
        if not value:
            raise Refused(f"{name}: a parameter's value can't be empty")
        with translated("ssm"):
            self._clients.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
