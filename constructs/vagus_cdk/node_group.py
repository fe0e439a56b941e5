"""One Auto Scaling group: the nodes of one kind in one zone. Nothing in it may end an instance by itself.

- No DesiredCapacity and no UpdatePolicy: the size is in the fleet file and changed by a step, a new template takes
  effect with new instances only.
- One subnet: AZRebalance has no other zone to move anything to (CloudFormation can't suspend processes).
- EC2 health checks only: a red cluster must not replace its own nodes. No warm pool, no longest lifetime, no Spot.
- A terminate hook of an hour, ABANDON by default, and the group *retains* what is abandoned: an instance whose hook
  runs out stays, with its data, until Vagus or a person ends it.
- A launch hook of an hour, CONTINUE by default: a node has shards as soon as it joins, and a hook that runs out must
  not end it (ADR 26). Vagus answers it when the cluster is whole: an instance refresh can't outrun recovery.
"""

import msgspec
from aws_cdk import RemovalPolicy
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from vagus.fleet import ClusterSpec
from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK

HOOK_SECONDS = 3600
ROOT_DEVICE = "/dev/xvda"
DATA_DEVICE = "/dev/sdf"
"""What `nodes/bin/mount-data-volume` looks for."""
AMAZON_LINUX = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What all groups of a cluster have in common. ARNs and ids may be CloudFormation tokens; `user_data` is base64."""

    cluster: ClusterSpec
    image: str | None
    profile: str
    security_group: str
    volume_key: str
    user_data: str


class NodeGroup(Construct):
    """`group`: the group of `kind`'s nodes in `zone`."""

    def __init__(self, scope: Construct, construct_id: str, nodes: NodeSpec, kind: str, zone: str, subnet: str) -> None:
        super().__init__(scope, construct_id)
        self._nodes, self._kind = nodes, kind
        self._declared = nodes.cluster.groups[kind]
        name = nodes.cluster.group_name(kind, zone)
        template = ec2.CfnLaunchTemplate(
            self,
            "Template",
            launch_template_name=name,
            launch_template_data=self._launch(),
            tag_specifications=[
                ec2.CfnLaunchTemplate.LaunchTemplateTagSpecificationProperty(
                    resource_type="launch-template", tags=_tags(self.tags(name))
                )
            ],
        )
        self.group = self._group(name, template, subnet)
        for kept in (template, self.group):
            kept.apply_removal_policy(RemovalPolicy.RETAIN)

    def tags(self, name: str) -> dict[str, str]:
        """The tags of the group and of its instances: what Vagus and booting nodes know them by."""
        return {
            "Name": name,
            "vagus:cell": self._nodes.cluster.cell,
            "vagus:cluster": self._nodes.cluster.name,
            "vagus:group": self._kind,
            "vagus:roles": ",".join(self._declared.roles),
        }

    def _group(self, name: str, template: ec2.CfnLaunchTemplate, subnet: str) -> autoscaling.CfnAutoScalingGroup:
        group = autoscaling.CfnAutoScalingGroup
        return group(
            self,
            "Group",
            auto_scaling_group_name=name,
            min_size="0",
            max_size=str(self._declared.most_per_zone),
            vpc_zone_identifier=[subnet],
            launch_template=group.LaunchTemplateSpecificationProperty(
                launch_template_id=template.ref, version=template.attr_latest_version_number
            ),
            health_check_type="EC2",
            health_check_grace_period=300,
            capacity_rebalance=False,
            lifecycle_hook_specification_list=[
                group.LifecycleHookSpecificationProperty(
                    lifecycle_hook_name=TERMINATE_HOOK,
                    lifecycle_transition="autoscaling:EC2_INSTANCE_TERMINATING",
                    heartbeat_timeout=HOOK_SECONDS,
                    default_result="ABANDON",
                ),
                group.LifecycleHookSpecificationProperty(
                    lifecycle_hook_name=LAUNCH_HOOK,
                    lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                    heartbeat_timeout=HOOK_SECONDS,
                    default_result="CONTINUE",
                ),
            ],
            instance_lifecycle_policy=group.InstanceLifecyclePolicyProperty(
                retention_triggers=group.RetentionTriggersProperty(terminate_hook_abandon="retain")
            ),
            instance_maintenance_policy=group.InstanceMaintenancePolicyProperty(
                min_healthy_percentage=100, max_healthy_percentage=200
            ),
            deletion_protection="prevent-all-deletion",
            tags=[
                group.TagPropertyProperty(key=key, value=value, propagate_at_launch=True)
                for key, value in self.tags(name).items()
            ],
        )

    def _launch(self) -> ec2.CfnLaunchTemplate.LaunchTemplateDataProperty:
        template = ec2.CfnLaunchTemplate
        return template.LaunchTemplateDataProperty(
            image_id=self._nodes.image or self._amazon_linux(),
            instance_type=self._declared.instance_type,
            iam_instance_profile=template.IamInstanceProfileProperty(arn=self._nodes.profile),
            user_data=self._nodes.user_data,
            ebs_optimized=True,
            monitoring=template.MonitoringProperty(enabled=True),
            metadata_options=template.MetadataOptionsProperty(
                http_endpoint="enabled",
                http_tokens="required",
                http_put_response_hop_limit=1,
                instance_metadata_tags="enabled",
            ),
            network_interfaces=[
                template.NetworkInterfaceProperty(
                    device_index=0,
                    associate_public_ip_address=False,
                    delete_on_termination=True,
                    groups=[self._nodes.security_group],
                )
            ],
            block_device_mappings=[
                self._volume(ROOT_DEVICE, self._declared.root_volume, goes_with_instance=True),
                self._volume(DATA_DEVICE, self._declared.data_volume, goes_with_instance=False),
            ],
            tag_specifications=[
                template.TagSpecificationProperty(
                    resource_type="volume",
                    tags=_tags({key: value for key, value in self.tags("").items() if key != "Name"}),
                )
            ],
        )

    def _volume(
        self, device: str, gibibytes: int, *, goes_with_instance: bool
    ) -> ec2.CfnLaunchTemplate.BlockDeviceMappingProperty:
        return ec2.CfnLaunchTemplate.BlockDeviceMappingProperty(
            device_name=device,
            ebs=ec2.CfnLaunchTemplate.EbsProperty(
                volume_type="gp3",
                volume_size=gibibytes,
                encrypted=True,
                kms_key_id=self._nodes.volume_key,
                delete_on_termination=goes_with_instance,
            ),
        )

    def _amazon_linux(self) -> str:
        """Resolved at each launch, so that new instances have the newest patches without a deploy."""
        graviton = ec2.InstanceType(self._declared.instance_type).architecture == ec2.InstanceArchitecture.ARM_64
        return AMAZON_LINUX.format("arm64" if graviton else "x86_64")


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]
