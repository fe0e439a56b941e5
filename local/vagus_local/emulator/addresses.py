"""Private addresses of instances: one 127.x.y.0/24, hosts 10 to 250, none twice while it is in use."""

import ipaddress
import threading


class Exhausted(RuntimeError):
    """Every address of the network is in use."""


class AddressPool:
    """Addresses of the network `prefix` ("127.23.4"); ValueError when it is not three octets of 127.0.0.0/8."""

    def __init__(self, prefix: str) -> None:
        network = ipaddress.ip_network(f"{prefix}.0/24")
        if not network.is_loopback:
            raise ValueError(
                f"VAGUS_NODE_NETWORK={prefix} is not in 127.0.0.0/8: nodes would be reachable from outside"
            )
        self._free = [f"{prefix}.{host}" for host in range(10, 251)]
        self._used: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, instance: str) -> str:
        """The address that was free longest, now the instance's; Exhausted when there is none."""
        with self._lock:
            if not self._free:
                raise Exhausted("no address is free in the nodes' network")
            self._used[instance] = self._free.pop(0)
            return self._used[instance]

    def give_back(self, instance: str) -> None:
        with self._lock:
            address = self._used.pop(instance, None)
            if address:
                self._free.append(address)
