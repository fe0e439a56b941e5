"""The network of a cell: subnets that lead nowhere but to AWS's endpoints, or a VPC of the platform team's own.

A zone's subnet is named, and has its addresses, by the zone's letter: a zone more or less never moves another's.
"""

import aws_cdk as cdk
from aws_cdk import RemovalPolicy, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from vagus_cdk.acknowledged import acknowledge
from vagus_cdk.settings import ImportedVpc, Settings

BLOCK = "10.42.{}.0/{}"
CIDR = BLOCK.format(0, 16)
ENDPOINTS = ("autoscaling", "ec2", "ec2messages", "events", "secretsmanager", "ssm", "ssmmessages", "states")
"""Interface endpoints: what functions and nodes call. DynamoDB and S3 have gateway endpoints."""
SIGNING = "kms"
PRIVATE_CA = "acm-pca"
"""And these, where Vagus issues certificates: by keys in KMS, by private CAs."""
HTTPS = 443
SEARCH, TRANSPORT = 9200, 9300


class Network(Construct):
    """Subnets by zone, and the security group of functions that reach nodes."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, logs_key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self._certified = bool(set(settings.certified) - set(settings.sites))
        by_kms = set(settings.certified) - set(settings.private_cas)
        self._more = (*([SIGNING] if by_kms else []), *([PRIVATE_CA] if settings.private_cas else []))
        if settings.vpc:
            self.vpc, self.subnets, self.cidr = self._imported(settings.vpc, settings.zones)
        else:
            self.vpc, self.subnets, self.cidr = self._own(settings, logs_key)
        self.functions = self._functions()

    def selection(self) -> ec2.SubnetSelection:
        """One subnet in each zone of the cell."""
        return ec2.SubnetSelection(subnets=list(self.subnets.values()))

    def _functions(self) -> ec2.SecurityGroup:
        """Functions take no connection; they make them to nodes and, by private name or prefix list, to AWS."""
        group = ec2.SecurityGroup(
            self,
            "Functions",
            vpc=self.vpc,
            description="Functions of Vagus that reach search nodes",
            allow_all_outbound=False,
            allow_all_ipv6_outbound=False,
        )
        group.add_egress_rule(ec2.Peer.ipv4(self.cidr), ec2.Port.tcp(SEARCH), "nodes")
        if self._certified:
            group.add_egress_rule(ec2.Peer.ipv4(self.cidr), ec2.Port.tcp(TRANSPORT), "handshakes with nodes")
        # gateway endpoints are reached by public addresses, which only they answer: no route leads further
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS), "AWS endpoints")
        return group

    # -- a VPC that exists -----------------------------------------------------------------------------------------

    def _imported(self, said: ImportedVpc, zones: tuple[str, ...]) -> tuple[ec2.IVpc, dict[str, ec2.ISubnet], str]:
        subnets = {
            zone: ec2.Subnet.from_subnet_attributes(
                self, f"Zone{_letter(zone)}", subnet_id=said.subnets[zone], availability_zone=zone
            )
            for zone in zones
        }
        return _view(self, said.id, said.cidr, subnets), dict(subnets), said.cidr

    # -- a VPC of ours ---------------------------------------------------------------------------------------------

    def _own(self, settings: Settings, logs_key: kms.IKey) -> tuple[ec2.IVpc, dict[str, ec2.ISubnet], str]:
        vpc = ec2.CfnVPC(self, "Vpc", cidr_block=CIDR, enable_dns_hostnames=True, enable_dns_support=True)
        vpc.apply_removal_policy(RemovalPolicy.RETAIN)
        acknowledge(vpc, "VPCDefaultSecurityGroupClosed")
        Tags.of(vpc).add("Name", f"vagus-{settings.cell}")
        own = {zone: self._subnet(vpc, zone) for zone in settings.zones}
        subnets: dict[str, ec2.ISubnet] = dict(own)
        view = _view(self, vpc.ref, CIDR, subnets)
        self._endpoints(view, list(own.values()))
        self._flow_log(view, logs_key)
        return view, subnets, CIDR

    def _subnet(self, vpc: ec2.CfnVPC, zone: str) -> ec2.PrivateSubnet:
        letter = _letter(zone)
        subnet = ec2.PrivateSubnet(
            self,
            f"Zone{letter}",
            vpc_id=vpc.ref,
            availability_zone=zone,
            cidr_block=BLOCK.format((ord(letter) - ord("A")) * 16, 20),
            map_public_ip_on_launch=False,
        )
        subnet.apply_removal_policy(RemovalPolicy.RETAIN)
        # which zones a cluster has is what its fleet file declares: not for CloudFormation to choose
        cdk.Validations.of(subnet).acknowledge(
            cdk.Acknowledgment(id="CloudFormation-Validate::W3010", reason="zones are declared in the fleet's files")
        )
        return subnet

    def _endpoints(self, vpc: ec2.IVpc, subnets: list[ec2.PrivateSubnet]) -> None:
        group = ec2.SecurityGroup(
            self, "Endpoints", vpc=vpc, description="AWS endpoints of Vagus", allow_all_outbound=False
        )
        group.add_ingress_rule(ec2.Peer.ipv4(CIDR), ec2.Port.tcp(HTTPS), "from within the VPC")
        for name in (*ENDPOINTS, *self._more):
            endpoint = ec2.InterfaceVpcEndpoint(
                self,
                f"Endpoint{name.capitalize()}",
                vpc=vpc,
                service=ec2.InterfaceVpcEndpointAwsService(name),
                subnets=ec2.SubnetSelection(subnets=list(subnets)),
                security_groups=[group],
                open=False,
                private_dns_enabled=True,
            )
            endpoint.add_to_policy(self._only_this_account())
        tables = [route_table.route_table_id for route_table in (subnet.route_table for subnet in subnets)]
        self._gateway("DynamoDb", "dynamodb", vpc, tables, [self._only_this_account()])
        self._gateway("S3", "s3", vpc, tables, [self._only_this_account(), self._operating_system()])

    def _gateway(
        self, name: str, service: str, vpc: ec2.IVpc, tables: list[str], statements: list[iam.PolicyStatement]
    ) -> None:
        ec2.CfnVPCEndpoint(
            self,
            f"Endpoint{name}",
            service_name=f"com.amazonaws.{Stack.of(self).region}.{service}",
            vpc_id=vpc.vpc_id,
            route_table_ids=tables,
            policy_document=iam.PolicyDocument(statements=statements),
        )

    def _only_this_account(self) -> iam.PolicyStatement:
        """Credentials of other accounts get nothing out through here."""
        account = Stack.of(self).account
        return iam.PolicyStatement(
            sid="OnlyThisAccount",
            actions=["*"],
            principals=[iam.AnyPrincipal()],
            resources=["*"],
            conditions={"StringEquals": {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}},
        )

    def _operating_system(self) -> iam.PolicyStatement:
        """Packages of Amazon Linux and of the Systems Manager agent come from buckets of AWS."""
        stack = Stack.of(self)
        buckets = [
            f"al2023-repos-{stack.region}-de612dc2",
            f"amazon-ssm-{stack.region}",
            f"amazon-ssm-packages-{stack.region}",
        ]
        return iam.PolicyStatement(
            sid="OperatingSystem",
            actions=["s3:GetObject"],
            principals=[iam.AnyPrincipal()],
            resources=[f"arn:{stack.partition}:s3:::{bucket}/*" for bucket in buckets],
        )

    def _flow_log(self, vpc: ec2.IVpc, logs_key: kms.IKey) -> None:
        group = logs.LogGroup(
            self,
            "FlowLogs",
            encryption_key=logs_key,
            retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.RETAIN,
        )
        flow_log = ec2.FlowLog(
            self,
            "FlowLog",
            resource_type=ec2.FlowLogResourceType.from_vpc(vpc),
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
        )
        acknowledge(flow_log, "IAMNoInlinePolicy")


def _view(
    scope: Construct, vpc_id: str, cidr: str, subnets: dict[str, ec2.Subnet] | dict[str, ec2.ISubnet]
) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        scope,
        "View",
        vpc_id=vpc_id,
        vpc_cidr_block=cidr,
        availability_zones=list(subnets),
    )


def _letter(zone: str) -> str:
    return zone[-1].upper()
