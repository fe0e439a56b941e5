"""What one instance is launched with: a launch template, and what the request or the group says over it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ministack.core import responses
from ministack.services import ec2

from vagus_local.emulator.seams import truth

_IMAGE = "ami-0c55b159cbfafe1f0"
"""When neither template nor request names one: the image plays no part here."""


@dataclass(frozen=True)
class Launch:
    """`user_data` is base64; `volumes` are BlockDeviceMappings as EC2 takes them; `profile` iam_arn or iam_name."""

    image: str
    instance_type: str
    subnet: str
    zone: str
    key_name: str = ""
    user_data: str = ""
    security_groups: tuple[str, ...] = ()
    profile: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    volumes: tuple[dict[str, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    volume_tags: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False

    @classmethod
    def from_template(cls, data: dict[str, Any], subnet: str) -> Self:
        """From LaunchTemplateData, into a subnet (whose zone is the instance's)."""
        return cls(
            image=data.get("ImageId") or _IMAGE,
            instance_type=data.get("InstanceType") or "t3.micro",
            subnet=subnet,
            zone=zone_of(subnet),
            key_name=data.get("KeyName", ""),
            user_data=data.get("UserData", ""),
            security_groups=_groups(data),
            profile=_profile(data.get("IamInstanceProfile", {})),
            metadata=data.get("MetadataOptions", {}),
            volumes=tuple(data.get("BlockDeviceMappings", [])),
            tags=_tags(data, "instance"),
            volume_tags=_tags(data, "volume"),
            protected=truth(data.get("DisableApiTermination", False)),
        )

    def placed(self, zone: str, tags: Mapping[str, str]) -> Self:
        """The same in a zone, with these tags and no others."""
        return replace(self, zone=zone, tags=tags)

    @classmethod
    def from_request(cls, parameters: dict[str, Any]) -> tuple[Self | None, Any]:
        """From RunInstances' parameters: (launch, None), or (None, EC2's refusal)."""
        spec = {
            key: ec2._p(parameters, f"LaunchTemplate.{key}")
            for key in ("LaunchTemplateId", "LaunchTemplateName", "Version")
        }
        data, _, refusal = ec2._resolve_launch_template_data({k: v for k, v in spec.items() if v})
        if refusal:
            return None, refusal
        said = ec2._parse_lt_data(_as_template(parameters))
        subnet = ec2._p(parameters, "SubnetId") or ec2._DEFAULT_SUBNET_ID
        plan = cls.from_template(data | said, subnet)
        return replace(plan, tags=_tags(data, "instance") | dict(plan.tags)), None


def zone_of(subnet: str) -> str:
    """The zone of a subnet; the Region's first for one that nobody knows."""
    return str(ec2._subnets.get(subnet, {}).get("AvailabilityZone") or f"{responses.get_region()}a")


def template_data(spec: dict[str, Any]) -> dict[str, Any] | None:
    """LaunchTemplateData of {LaunchTemplateId or -Name, Version}, or None when there is no such template."""
    data, _, refusal = ec2._resolve_launch_template_data(spec)
    return None if refusal else dict(data)


def _as_template(parameters: dict[str, Any]) -> dict[str, Any]:
    return {f"LaunchTemplateData.{key}": value for key, value in parameters.items()}


def _groups(data: dict[str, Any]) -> tuple[str, ...]:
    interfaces = data.get("NetworkInterfaces", [])
    return tuple(data.get("SecurityGroupIds") or [g for i in interfaces for g in i.get("Groups", [])])


def _profile(profile: dict[str, Any]) -> dict[str, str]:
    return {f"iam_{key.lower()}": str(profile[key]) for key in ("Arn", "Name") if profile.get(key)}


def _tags(data: dict[str, Any], kind: str) -> dict[str, str]:
    return {
        str(tag["Key"]): str(tag.get("Value", ""))
        for specification in data.get("TagSpecifications", [])
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags", [])
    }
