"""CloudFormation: properties that ministack drops, and types it would refuse the whole stack for.

`RECORD_ONLY` is the list of types that are accepted and remembered but have no behaviour here: what they say is proved
on the synthesized template ("template only" in docs/fidelity/aws.md).
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

from ministack.services import ec2

from vagus_local.emulator.eventbridge import region_arn
from vagus_local.emulator.seams import HANDLERS, Properties, also, call, truth

type Attributes = dict[str, str]


def _id(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:17]}"


def _attributes(prefix: str, physical_id: str) -> Attributes:
    arn = region_arn("cloudformation", f"record/{physical_id}")
    return {"Id": physical_id, "Arn": arn, f"{prefix.capitalize()}Arn": arn}


def _named(prefix: str) -> Callable[[str, Properties, str], tuple[str, Attributes]]:
    """A record whose physical id is `prefix`-hex; its attributes are its id and ARN, in either manner of naming."""

    def create(_logical_id: str, _properties: Properties, _stack: str) -> tuple[str, Attributes]:
        physical_id = _id(prefix)
        return physical_id, _attributes(prefix, physical_id)

    return create


RECORD_ONLY: dict[str, str] = {
    "AWS::ACMPCA::Certificate": "acm-pca-certificate",
    "AWS::ACMPCA::CertificateAuthority": "acm-pca",
    "AWS::ACMPCA::CertificateAuthorityActivation": "acm-pca-activation",
    "AWS::CloudTrail::Trail": "trail",
    "AWS::CloudWatch::CompositeAlarm": "alarm",
    "AWS::Config::ConfigRule": "config-rule",
    "AWS::EC2::CustomerGateway": "cgw",
    "AWS::EC2::EIP": "eipalloc",
    "AWS::EC2::FlowLog": "fl",
    "AWS::EC2::NatGateway": "nat",
    "AWS::EC2::NetworkAclEntry": "acl-entry",
    "AWS::EC2::NetworkAcl": "acl",
    "AWS::EC2::SubnetNetworkAclAssociation": "aclassoc",
    "AWS::EC2::VPNConnection": "vpn",
    "AWS::EC2::VPNConnectionRoute": "vpn-route",
    "AWS::EC2::VPNGateway": "vgw",
    "AWS::EC2::VPNGatewayRoutePropagation": "vgw-route",
    "AWS::Events::Archive": "archive",
    "AWS::Events::EventBusPolicy": "event-bus-policy",
    "AWS::IAM::ServiceLinkedRole": "service-linked-role",
    "AWS::Logs::QueryDefinition": "query",
    "AWS::RolesAnywhere::Profile": "profile",
    "AWS::SecretsManager::RotationSchedule": "rotation",
    "AWS::SNS::TopicInlinePolicy": "topic-policy",
    "AWS::StepFunctions::StateMachineAlias": "alias",
    "AWS::StepFunctions::StateMachineVersion": "version",
}
"""Type -> prefix of its physical id."""


def _forget(_physical_id: str, _properties: Properties) -> None:
    """Nothing stands behind the record."""


def _keep(physical_id: str, _old: Properties, _new: Properties, _stack: str) -> tuple[str, Attributes]:
    return physical_id, _attributes(physical_id.rpartition("-")[0], physical_id)


def record_only() -> None:
    for resource_type, prefix in RECORD_ONLY.items():
        HANDLERS.setdefault(resource_type, {"create": _named(prefix), "update": _keep, "delete": _forget})


# ------------------------------------------------------------------ security group rules


def _permission(properties: Properties) -> dict[str, Any]:
    permission: dict[str, Any] = {"IpProtocol": str(properties["IpProtocol"])}
    permission |= {key: int(properties[key]) for key in ("FromPort", "ToPort") if key in properties}
    peer = properties.get("SourceSecurityGroupId") or properties.get("DestinationSecurityGroupId")
    prefix = properties.get("SourcePrefixListId") or properties.get("DestinationPrefixListId")
    said = {"Description": properties["Description"]} if "Description" in properties else {}
    if peer:
        permission["UserIdGroupPairs"] = [{"GroupId": peer, **said}]
    if prefix:
        permission["PrefixListIds"] = [{"PrefixListId": prefix, **said}]
    if "CidrIp" in properties:
        permission["IpRanges"] = [{"CidrIp": properties["CidrIp"], **said}]
    return permission


def _rule(direction: str) -> dict[str, Any]:
    def create(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
        permissions = [_permission(properties)]
        operation = f"authorize_security_group_{direction}"
        call("ec2", operation, GroupId=properties["GroupId"], IpPermissions=permissions)
        physical_id = _id("sgr")
        return physical_id, {"Id": physical_id}

    def delete(_physical_id: str, properties: Properties) -> None:
        if properties["GroupId"] in ec2._security_groups:  # else it went with its group
            operation = f"revoke_security_group_{direction}"
            call("ec2", operation, GroupId=properties["GroupId"], IpPermissions=[_permission(properties)])

    def update(physical_id: str, old: Properties, new: Properties, stack: str) -> tuple[str, Attributes]:
        delete(physical_id, old)
        return create("", new, stack)

    return {"create": create, "update": update, "delete": delete}


# ------------------------------------------------------------------ secrets


def _secret_policy(_logical_id: str, properties: Properties, _stack: str) -> tuple[str, Attributes]:
    policy = properties["ResourcePolicy"]
    text = policy if isinstance(policy, str) else json.dumps(policy)
    call("secretsmanager", "put_resource_policy", SecretId=properties["SecretId"], ResourcePolicy=text)
    return str(properties["SecretId"]), {"Id": str(properties["SecretId"])}


def _secret_policy_changed(_id: str, _old: Properties, new: Properties, stack: str) -> tuple[str, Attributes]:
    return _secret_policy("", new, stack)


def _secret_policy_gone(physical_id: str, _properties: Properties) -> None:
    call("secretsmanager", "delete_resource_policy", SecretId=physical_id)


# ------------------------------------------------------------------ S3


def _bucket(bucket: str, properties: Properties) -> None:
    _object_lock(bucket, properties)
    _bucket_encryption(bucket, properties)
    rules = [_lifecycle_rule(rule) for rule in properties.get("LifecycleConfiguration", {}).get("Rules", [])]
    if rules:
        call("s3", "put_bucket_lifecycle_configuration", Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _object_lock(bucket: str, properties: Properties) -> None:
    if not truth(properties.get("ObjectLockEnabled")):
        return
    call("s3", "put_bucket_versioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    if "ObjectLockConfiguration" in properties:
        configuration = properties["ObjectLockConfiguration"]
        call("s3", "put_object_lock_configuration", Bucket=bucket, ObjectLockConfiguration=configuration)


def _bucket_encryption(bucket: str, properties: Properties) -> None:
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    defaults = [rule["ServerSideEncryptionByDefault"] for rule in rules]
    # without a key AWS takes its own aws/s3 key; ministack would then refuse every put (the bootstrap bucket)
    if not rules or any(d["SSEAlgorithm"] == "aws:kms" and "KMSMasterKeyID" not in d for d in defaults):
        return
    keyed = [
        {"ApplyServerSideEncryptionByDefault": d, "BucketKeyEnabled": truth(rule.get("BucketKeyEnabled"))}
        for d, rule in zip(defaults, rules, strict=True)
    ]
    call("s3", "put_bucket_encryption", Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": keyed})


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {
        "ID": rule.get("Id", "rule"),
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    if "ExpirationInDays" in rule:
        out["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in rule:
        out["NoncurrentVersionExpiration"] = {k: int(v) for k, v in rule["NoncurrentVersionExpiration"].items()}
    if "Transitions" in rule:
        out["Transitions"] = [
            {"Days": int(t["TransitionInDays"]), "StorageClass": t["StorageClass"]} for t in rule["Transitions"]
        ]
    return out


# ------------------------------------------------------------------ SNS, SQS


def _topic(arn: str, properties: Properties) -> None:
    if "KmsMasterKeyId" in properties:
        key = str(properties["KmsMasterKeyId"])
        call("sns", "set_topic_attributes", TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=key)


def install() -> None:
    record_only()
    HANDLERS["AWS::EC2::SecurityGroupIngress"] = _rule("ingress")
    HANDLERS["AWS::EC2::SecurityGroupEgress"] = _rule("egress")
    HANDLERS["AWS::SecretsManager::ResourcePolicy"] = {
        "create": _secret_policy,
        "update": _secret_policy_changed,
        "delete": _secret_policy_gone,
    }
    also("AWS::S3::Bucket", _bucket)
    also("AWS::SNS::Topic", _topic)
