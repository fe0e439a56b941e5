"""Steps of trust: authorities that are made, published and dropped, and certificates that are issued and renewed."""

from typing import Literal

from vagus.steps.base import Grant, OfNodes, Step

SIGNS = (
    Grant("kms:GetPublicKey", "authority_key"),
    Grant("kms:Sign", "authority_key"),
    Grant("acm-pca:GetCertificateAuthorityCertificate", "private_ca"),
    Grant("acm-pca:IssueCertificate", "private_ca"),
    Grant("acm-pca:GetCertificate", "private_ca"),
)
"""Of a key in KMS, and of a private CA: a role has those of the issuers that its cell's clusters have."""

SIGNS_FOR_GATEWAYS = (
    *(one for one in SIGNS if one.resource == "authority_key"),
    Grant("acm-pca:IssueCertificate", "private_server_ca"),
    Grant("acm-pca:GetCertificate", "private_server_ca"),
)
"""The same, of a private CA by the template of servers alone."""


TELLS = (Grant("ssm:SendCommand", "node_command"), Grant("s3:PutObject", "site_commands"))
"""To tell nodes something: on EC2 by Systems Manager, pods by an object that their agent follows."""


class _OfAuthority(Step, frozen=True, kw_only=True):
    generation: int

    @property
    def subject(self) -> str:
        return f"authority {self.generation}"


class MakeAuthority(_OfAuthority, frozen=True, kw_only=True):
    """An authority of the next generation, by the key that is not in use. Trusted from now on, and signing only if it
    is the first."""

    title = "Make the cluster's authority"
    aws = SIGNS
    protective = True
    in_every_mode = True

    @property
    def sentence(self) -> str:
        return f"make authority {self.generation}, whose key nobody can read"


class PublishTrust(Step, frozen=True, kw_only=True):
    """Give nodes that boot, or install it, the bundle of all authorities that are trusted."""

    title = "Publish what nodes trust"
    aws = (Grant("ssm:PutParameter", "node_trust"), Grant("s3:PutObject", "site_bundle"))
    protective = True
    in_every_mode = True
    generations: tuple[int, ...]

    @property
    def sentence(self) -> str:
        return f"publish the bundle of {_authorities(self.generations)} for nodes"


class IssueClientCertificate(Step, frozen=True, kw_only=True):
    """A new key and certificate for the functions that read, or write, into their secret, with the present bundle."""

    title = "Issue the functions' client certificate"
    aws = (*SIGNS, Grant("secretsmanager:PutSecretValue", "client_secret"))
    protective = True
    in_every_mode = True
    role: Literal["read", "write"]
    signed_by: int
    bundle: tuple[int, ...]

    @property
    def sentence(self) -> str:
        trusting = _authorities(self.bundle)
        return (
            f"issue the certificate of the functions that {self.role}, by authority {self.signed_by}, with {trusting}"
        )

    @property
    def subject(self) -> str:
        return f"vagus-{self.role}"


class InstallTrust(OfNodes, frozen=True, kw_only=True):
    """Nodes take up the published bundle. Their search process reads it anew within seconds, without a restart."""

    title = "Install the bundle on nodes"
    aws = TELLS
    generations: tuple[int, ...]

    @property
    def sentence(self) -> str:
        return f"have {', '.join(self.nodes)} trust {_authorities(self.generations)}, and no other"


class RenewLeaves(OfNodes, frozen=True, kw_only=True):
    """Nodes make new keys and have them certified. Their search process reads them within seconds, and goes on."""

    title = "Renew the nodes' certificates"
    aws = TELLS
    signed_by: int

    @property
    def sentence(self) -> str:
        return f"have {', '.join(self.nodes)} make a new key each, and get a certificate of authority {self.signed_by}"


class ImportCertificate(Step, frozen=True, kw_only=True):
    """A new key and certificate for a gateway, into ACM under the ARN that it has; the key is kept nowhere else.
    `replaces`: the serial (hex) of the one that Vagus imported before, "" for the first."""

    title = "Import a gateway's certificate"
    aws = (
        *SIGNS_FOR_GATEWAYS,
        Grant("acm:DescribeCertificate", "gateway_certificate"),
        Grant("acm:ImportCertificate", "gateway_certificate"),
    )
    outside = True
    arn: str
    names: tuple[str, ...]
    signed_by: int
    replaces: str

    @property
    def sentence(self) -> str:
        return f"issue {', '.join(self.names)} a certificate by authority {self.signed_by}, into ACM as {self.arn}"

    @property
    def subject(self) -> str:
        return self.arn


class SignWith(_OfAuthority, frozen=True, kw_only=True):
    """From now on the newest authority signs: every node and client is known to trust it."""

    title = "Sign with the new authority"

    @property
    def sentence(self) -> str:
        return f"sign with authority {self.generation} from now on: every node trusts it"


class DropAuthority(_OfAuthority, frozen=True, kw_only=True):
    """An old authority is trusted no more: every node and client is known to have a certificate of the new one.
    `strangers`: addresses that called lately and are nobody that is declared: they may fail from then on."""

    title = "Drop the old authority"
    strangers: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        known = f"trust authority {self.generation} no more: no node shows a certificate of it"
        return known + (f", and {', '.join(self.strangers)} may fail" if self.strangers else "")

    @property
    def scope(self) -> tuple[str, ...]:
        """A yes that knew of some strangers is none to cutting off another."""
        return (self.subject, *(f"{self.subject} whatever becomes of {one}" for one in self.strangers))


def _authorities(generations: tuple[int, ...]) -> str:
    """For a sentence."""
    return f"authorit{'y' if len(generations) == 1 else 'ies'} {' and '.join(map(str, generations))}"
