"""Private CAs of AWS (ACM-PCA) that sign for clusters."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from time import sleep

from vagus.aws.clients import Clients
from vagus.aws.errors import code_of, read, translated
from vagus.errors import Refused, Unreachable
from vagus.ports import Use
from vagus.trust import Slot

TEMPLATES: Mapping[str, str] = {
    "node": "EndEntityCertificate/V1",
    "client": "EndEntityClientAuthCertificate/V1",
    "gateway": "EndEntityServerAuthCertificate/V1",
}
"""All take subject and alternative names from the request, and nothing else. Source: AWS Private CA User Guide, "AWS
Private CA template definitions"."""
TRIES, PAUSE = 20, 0.5
"""It signs within seconds; what takes longer comes again, and gets the same certificate."""


def template(partition: str, use: str) -> str:
    """A template's ARN: it has neither Region nor account."""
    return f"arn:{partition}:acm-pca:::template/{TEMPLATES[use]}"


class AcmPrivateAuthorities:
    """Those that fleet files declare, by cluster: the first is slot a, the second b."""

    def __init__(
        self, clients: Clients, declared: Mapping[str, tuple[str, ...]], pause: Callable[[float], None] = sleep
    ) -> None:
        self._clients, self._declared, self._pause = clients, declared, pause

    def certificate(self, cluster: str, slot: Slot) -> bytes:
        """Its own certificate in PEM."""
        arn = self._arn(cluster, slot)
        call = self._clients.private_ca.get_certificate_authority_certificate
        return str(read("acm-pca", lambda: call(CertificateAuthorityArn=arn))["Certificate"]).encode()

    def issue(self, cluster: str, slot: Slot, request: bytes, use: Use, algorithm: str, ends: float) -> bytes:
        """A leaf in PEM. The same request within five minutes is one: AWS knows it by its token."""
        arn = self._arn(cluster, slot)
        with translated("acm-pca"):
            made = self._clients.private_ca.issue_certificate(
                CertificateAuthorityArn=arn,
                Csr=request,
                SigningAlgorithm=algorithm,
                TemplateArn=template(arn.split(":")[1], use),
                Validity={"Type": "ABSOLUTE", "Value": int(ends)},
                IdempotencyToken=base64.b32encode(hashlib.sha256(request).digest()).decode()[:36],
            )
        return self._signed(arn, made["CertificateArn"])

    def _signed(self, arn: str, certificate: str) -> bytes:
        for _ in range(TRIES):
            try:
                with translated("acm-pca"):
                    call = self._clients.private_ca.get_certificate
                    answer = call(CertificateAuthorityArn=arn, CertificateArn=certificate)
                    return str(answer["Certificate"]).encode()
            except Refused as error:
                if code_of(error.__cause__) != "RequestInProgressException":
                    raise
            self._pause(PAUSE)
        raise Unreachable(f"acm-pca: {certificate} was not signed within {TRIES * PAUSE:.0f} s")

    def _arn(self, cluster: str, slot: Slot) -> str:
        declared = self._declared.get(cluster, ())
        at = "ab".index(slot)
        if at >= len(declared):
            raise Refused(
                f"{cluster} declares no {'first' if at == 0 else 'second'} private CA: add one to "
                "certificates.private_cas in its fleet file, and deploy"
            )
        return declared[at]
