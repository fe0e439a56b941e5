"""Certificates in ACM that people imported, for gateways and load balancers."""

from collections.abc import Callable, Mapping
from time import sleep
from typing import Any

from vagus.aws.clients import Clients
from vagus.aws.errors import read, translated
from vagus.errors import Unreachable
from vagus.trust import Imported

TRIES, PAUSE = 10, 0.5
"""How often, and after how many seconds, ACM is asked whether it tells of what was just imported."""


class AcmCertificates:
    """As `ports.ImportedCertificates`."""

    def __init__(self, clients: Clients, pause: Callable[[float], None] = sleep) -> None:
        self._clients, self._pause = clients, pause

    def of(self, arn: str) -> Imported:
        """What ACM tells of it."""
        told = read("acm", lambda: self._clients.acm.describe_certificate(CertificateArn=arn))["Certificate"]
        return Imported(
            serial=_hex(told.get("Serial", "")),
            begins=_epoch(told.get("NotBefore")),
            ends=_epoch(told.get("NotAfter")),
            key=str(told.get("KeyAlgorithm", "")).replace("-", "_"),
            names=_names(told),
            uses=tuple(str(one.get("OID") or one.get("Name")) for one in told.get("ExtendedKeyUsages", [])),
            by_people=told.get("Type") == "IMPORTED",
        )

    def replace(self, arn: str, certificate: str, key: str, chain: str, serial: str) -> Imported:
        """Import another under the ARN, and wait until ACM tells of it."""
        with translated("acm"):
            self._clients.acm.import_certificate(
                CertificateArn=arn,
                Certificate=certificate.encode(),
                PrivateKey=key.encode(),
                CertificateChain=chain.encode(),
            )
        for _ in range(TRIES):
            if (found := self.of(arn)).serial == serial:
                return found
            self._pause(PAUSE)
        raise Unreachable(f"acm: {arn} was imported, and {TRIES * PAUSE:.0f} s later ACM tells of another certificate")


def _names(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Alternative names, and what ACM takes for the first: of a certificate without any, its common name."""
    found = dict.fromkeys([str(told.get("DomainName", "")), *told.get("SubjectAlternativeNames", [])])
    return tuple(one for one in found if one)


def _hex(serial: str) -> str:
    """ACM writes pairs of hexadecimal digits with colons between; its stand-in a decimal number."""
    number = int(serial.replace(":", ""), 16) if ":" in serial else int(serial or "0")
    return f"{number:x}"


def _epoch(moment: Any) -> float:
    return float(moment.timestamp()) if moment is not None else 0.0
