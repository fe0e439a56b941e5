"""What must never happen, as far as a template can say it: a table of sentences, each about something that is there."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.infrastructure.templates import Properties, Resource, Templates, listed, walk

Holds = Callable[[Properties], bool]

GROUP, TEMPLATE = "AutoScaling::AutoScalingGroup", "EC2::LaunchTemplate"
TABLE, FUNCTION, LOGS = "DynamoDB::Table", "Lambda::Function", "Logs::LogGroup"
MESSAGES, MACHINE = "Lambda::EventSourceMapping", "StepFunctions::StateMachine"


def launch(check: Holds) -> Holds:
    return lambda properties: check(properties["LaunchTemplateData"])


def volume(device: str, check: Holds) -> Holds:
    def holds(properties: Properties) -> bool:
        mappings = properties["LaunchTemplateData"]["BlockDeviceMappings"]
        return check(next(one["Ebs"] for one in mappings if one["DeviceName"] == device))

    return holds


def tags(properties: Properties, key: str = "Tags") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties[key]}


def hook(properties: Properties, name: str = "vagus-terminate") -> Mapping[str, Any]:
    (found,) = (one for one in properties["LifecycleHookSpecificationList"] if one["LifecycleHookName"] == name)
    return dict(found)


def customer_key(value: Any) -> bool:
    """A key of ours: an import from the cell's stack, or a reference in it. Never a name such as alias/aws/ebs."""
    return isinstance(value, dict) and bool({"Fn::ImportValue", "Fn::GetAtt", "Ref"} & set(value))


SENTENCES: list[tuple[str, str, Holds]] = [
    # a deploy takes no cluster away
    ("no template says how many instances a group has", GROUP, lambda p: "DesiredCapacity" not in p),
    ("no deploy makes a group keep more instances than it has", GROUP, lambda p: p["MinSize"] == "0"),
    ("a group can't be deleted by a slip", GROUP, lambda p: p["DeletionProtection"] == "prevent-all-deletion"),
    # a terminate hook can only be outlived
    ("every group has the terminate hook", GROUP, lambda p: hook(p)["LifecycleHookName"] == "vagus-terminate"),
    (
        "the hook is there before the first instance, and for its end",
        GROUP,
        lambda p: hook(p)["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING",
    ),
    ("a waiting instance waits an hour without a heartbeat", GROUP, lambda p: hook(p)["HeartbeatTimeout"] == 3600),
    ("a hook that runs out abandons", GROUP, lambda p: hook(p)["DefaultResult"] == "ABANDON"),
    (
        "a launch waits an hour for the cluster to be whole; a node that has joined is never ended by a hook",
        GROUP,
        lambda p: (
            hook(p, "vagus-launch")
            == {
                "LifecycleHookName": "vagus-launch",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "HeartbeatTimeout": 3600,
                "DefaultResult": "CONTINUE",
            }
        ),
    ),
    (
        "what is abandoned is retained, not ended",
        GROUP,
        lambda p: p["InstanceLifecyclePolicy"] == {"RetentionTriggers": {"TerminateHookAbandon": "retain"}},
    ),
    # the group must not fight us
    ("only EC2's checks replace an instance: a red cluster does not", GROUP, lambda p: p["HealthCheckType"] == "EC2"),
    ("a group has one zone: nothing to rebalance", GROUP, lambda p: len(p["VPCZoneIdentifier"]) == 1),
    ("no instance ends for its age", GROUP, lambda p: "MaxInstanceLifetime" not in p),
    ("nothing is moved off Spot ahead of time: there is no Spot", GROUP, lambda p: p["CapacityRebalance"] is False),
    ("no mixed instances, which could be Spot", GROUP, lambda p: "MixedInstancesPolicy" not in p),
    (
        "no load balancer can call a node unhealthy",
        GROUP,
        lambda p: not {"TargetGroupARNs", "LoadBalancerNames"} & set(p),
    ),
    (
        "a replacement is launched before an instance is terminated",
        GROUP,
        lambda p: p["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200},
    ),
    (
        "instances know their cluster, group, roles and cell by tags",
        GROUP,
        lambda p: (
            {"vagus:cluster", "vagus:group", "vagus:roles", "vagus:cell"}
            <= {tag["Key"] for tag in p["Tags"] if tag["PropagateAtLaunch"]}
        ),
    ),
    ("each tag is said once", GROUP, lambda p: len(p["Tags"]) == len(tags(p))),
    # data lies on its own volume
    (
        "the data volume outlives its instance",
        TEMPLATE,
        volume("/dev/sdf", lambda v: v["DeleteOnTermination"] is False),
    ),
    (
        "the root volume goes with its instance",
        TEMPLATE,
        volume("/dev/xvda", lambda v: v["DeleteOnTermination"] is True),
    ),
    (
        "volumes are tagged with their cluster",
        TEMPLATE,
        launch(lambda d: all("vagus:cluster" in tags(one) for one in d["TagSpecifications"])),
    ),
    # protection of patient data
    (
        "the data volume is under the customer's key",
        TEMPLATE,
        volume("/dev/sdf", lambda v: customer_key(v["KmsKeyId"])),
    ),
    (
        "the root volume is under the customer's key",
        TEMPLATE,
        volume("/dev/xvda", lambda v: customer_key(v["KmsKeyId"])),
    ),
    (
        "every volume is encrypted",
        TEMPLATE,
        launch(lambda d: all(one["Ebs"]["Encrypted"] is True for one in d["BlockDeviceMappings"])),
    ),
    ("IMDSv2 only", TEMPLATE, launch(lambda d: d["MetadataOptions"]["HttpTokens"] == "required")),
    (
        "no container on a node reaches IMDS",
        TEMPLATE,
        launch(lambda d: d["MetadataOptions"]["HttpPutResponseHopLimit"] == 1),
    ),
    (
        "no node has a public address",
        TEMPLATE,
        launch(lambda d: [one["AssociatePublicIpAddress"] for one in d["NetworkInterfaces"]] == [False]),
    ),
    ("no node has a key pair: people come by Session Manager", TEMPLATE, launch(lambda d: "KeyName" not in d)),
    ("no subnet gives public addresses", "EC2::Subnet", lambda p: p["MapPublicIpOnLaunch"] is False),
    ("tables are under the customer's key", TABLE, lambda p: customer_key(p["SSESpecification"]["KMSMasterKeyId"])),
    (
        "tables can be taken back to any second of 35 days",
        TABLE,
        lambda p: p["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True},
    ),
    ("tables can't be deleted by a slip", TABLE, lambda p: p["DeletionProtectionEnabled"] is True),
    ("keys turn each year", "KMS::Key", lambda p: p.get("EnableKeyRotation") is True or p["KeyUsage"] == "SIGN_VERIFY"),
    ("queues are under the customer's key", "SQS::Queue", lambda p: customer_key(p["KmsMasterKeyId"])),
    ("topics are under the customer's key", "SNS::Topic", lambda p: customer_key(p["KmsMasterKeyId"])),
    ("logs are under the customer's key", LOGS, lambda p: customer_key(p["KmsKeyId"])),
    ("logs are kept for a year", LOGS, lambda p: p["RetentionInDays"] == 365),
    ("secrets are under the customer's key", "SecretsManager::Secret", lambda p: customer_key(p["KmsKeyId"])),
    (
        "no template holds a secret's value",
        "SecretsManager::Secret",
        lambda p: not {"SecretString", "GenerateSecretString"} & set(p),
    ),
    ("buckets keep old versions", "S3::Bucket", lambda p: p["VersioningConfiguration"] == {"Status": "Enabled"}),
    ("no bucket is public", "S3::Bucket", lambda p: all(p["PublicAccessBlockConfiguration"].values())),
    # Vagus itself
    ("functions run Python 3.13", FUNCTION, lambda p: p["Runtime"] == "python3.13"),
    ("functions run on arm64", FUNCTION, lambda p: p["Architectures"] == ["arm64"]),
    ("every function has invocations kept for it", FUNCTION, lambda p: p["ReservedConcurrentExecutions"] >= 1),
    ("every function logs where retention and key are ours", FUNCTION, lambda p: "LogGroup" in p["LoggingConfig"]),
    (
        "events that can't be delivered are kept",
        "Events::Rule",
        lambda p: all("DeadLetterConfig" in target for target in p["Targets"]),
    ),
    ("failed messages alone come again", MESSAGES, lambda p: p["FunctionResponseTypes"] == ["ReportBatchItemFailures"]),
    ("every alarm reaches a person", "CloudWatch::Alarm", lambda p: len(p["AlarmActions"]) == 1),
    ("executions are logged with their data", MACHINE, lambda p: p["LoggingConfiguration"]["Level"] == "ALL"),
]


@pytest.mark.parametrize(("sentence", "wanted", "holds"), SENTENCES, ids=[one[0] for one in SENTENCES])
def test_sentence(templates: Templates, sentence: str, wanted: str, holds: Holds) -> None:
    found = templates.resources(wanted)
    assert found, f"nothing of type {wanted}: the sentence says nothing"
    assert not [one.id for one in found if not holds(one.properties)], sentence


def test_no_resource_has_an_update_policy_that_replaces_instances(templates: Templates) -> None:
    groups = templates.resources(GROUP)
    assert len(groups) == 6
    assert not [one.id for one in groups if {"UpdatePolicy", "CreationPolicy"} & set(one.body)]


def test_only_the_state_table_has_a_ttl(templates: Templates) -> None:
    tables = [one.properties for one in templates.resources(TABLE)]
    ttl = {one["TableName"]: one.get("TimeToLiveSpecification") for one in tables}
    assert ttl == {"vagus-prod-state": {"AttributeName": "expires", "Enabled": True}, "vagus-prod-records": None}


def test_no_template_has_what_a_step_writes(templates: Templates) -> None:
    """A later deploy would set `formed` back to the template's word: a node that then starts could form a cluster."""
    names = {one.properties["Name"] for one in templates.resources("SSM::Parameter")}
    assert "/vagus/claims/node/formed-at-first" in names
    assert "/vagus/claims/node/formed" not in names


def test_the_stacks_can_not_be_deleted_by_a_slip(templates: Templates) -> None:
    manifest = (templates.folder / "manifest.json").read_text()
    assert manifest.count('"terminationProtection": true') == len(templates.stacks) == 2


def test_no_way_leads_out_of_the_subnets(templates: Templates) -> None:
    ways = ("EC2::NatGateway", "EC2::InternetGateway", "EC2::EgressOnlyInternetGateway", "EC2::Route")
    assert not [one.id for way in ways for one in templates.resources(way)]


def test_every_function_that_reaches_nodes_lies_in_the_subnets_and_the_keeper_depends_on_none(
    templates: Templates,
) -> None:
    functions = [one.properties for one in templates.resources(FUNCTION)]
    inside = {one["FunctionName"]: len(one.get("VpcConfig", {}).get("SubnetIds", [])) for one in functions}
    assert inside == {
        "vagus-prod-intake": 3,
        "vagus-prod-sweep": 3,
        "vagus-prod-cluster-watch": 3,
        "vagus-prod-zone_balance-decide": 3,
        "vagus-prod-zone_balance-apply": 3,
        "vagus-prod-rolling_upgrade-decide": 3,
        "vagus-prod-rolling_upgrade-apply": 3,
        "vagus-prod-certificates-decide": 3,
        "vagus-prod-certificates-apply": 3,
        "vagus-prod-certificates-issue": 0,
        "vagus-prod-certificates-outside": 0,
        "vagus-prod-keeper": 0,
    }


def rules(resources: Iterable[Resource]) -> list[Properties]:
    """Every ingress rule: in its group, or a resource of its own."""
    found: list[Properties] = []
    for one in resources:
        if one.type == "AWS::EC2::SecurityGroup":
            found += one.properties.get("SecurityGroupIngress", [])
        if one.type == "AWS::EC2::SecurityGroupIngress":
            found.append(one.properties)
    return found


def test_nodes_are_reached_by_nodes_functions_and_declared_clients_only(templates: Templates) -> None:
    claims = [one for one in rules(templates.resources()) if one["FromPort"] in (9200, 9300)]
    blocks = {(one["FromPort"], one.get("CidrIp", "a security group")) for one in claims}
    assert blocks == {(9200, "a security group"), (9300, "a security group"), (9200, "10.20.0.0/16")}


def test_no_rule_admits_the_world(templates: Templates) -> None:
    admitted = rules(templates.resources())
    assert admitted
    assert not [one for one in admitted if {"0.0.0.0/0", "::/0"} & {one.get("CidrIp"), one.get("CidrIpv6")}]


def test_every_endpoint_serves_this_account_alone(templates: Templates) -> None:
    endpoints = templates.resources("EC2::VPCEndpoint")
    assert len(endpoints) == 11
    for one in endpoints:
        statements = one.properties["PolicyDocument"]["Statement"]
        (ours,) = (statement for statement in statements if statement["Sid"] == "OnlyThisAccount")
        assert set(ours["Condition"]["StringEquals"]) == {"aws:PrincipalAccount", "aws:ResourceAccount"}
        assert {statement["Sid"] for statement in statements} <= {"OnlyThisAccount", "OperatingSystem"}


def refuses_plain_http(statement: Mapping[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool")
    return bool(statement["Effect"] == "Deny" and condition == {"aws:SecureTransport": "false"})


def test_buckets_queues_and_topics_refuse_plain_http(templates: Templates) -> None:
    kinds = {"S3::BucketPolicy": "S3::Bucket", "SQS::QueuePolicy": "SQS::Queue", "SNS::TopicPolicy": "SNS::Topic"}
    for policy, protected in kinds.items():
        documents = [one.properties["PolicyDocument"] for one in templates.resources(policy)]
        refusing = [document for document in documents if any(map(refuses_plain_http, document["Statement"]))]
        assert len(refusing) == len(documents) == len(templates.resources(protected)) > 0, policy


KEY_POLICIES = [
    ("Auto Scaling makes volumes of nodes", "Nodes", "AutoScalingUsesVolumes", {"kms:Decrypt", "kms:GenerateDataKey*"}),
    ("Auto Scaling attaches them", "Nodes", "AutoScalingAttachesVolumes", {"kms:CreateGrant"}),
    ("EventBridge sends to encrypted queues", "Messages", "EventsToQueues", {"kms:Decrypt", "kms:GenerateDataKey*"}),
    (
        "CloudWatch publishes to the encrypted topic",
        "Messages",
        "AlarmsToTopic",
        {"kms:Decrypt", "kms:GenerateDataKey*"},
    ),
    ("CloudWatch Logs writes encrypted logs", "Logs", "Logs", {"kms:Encrypt", "kms:GenerateDataKey*"}),
]
PRINCIPALS = {
    "AutoScalingUsesVolumes": "AWSServiceRoleForAutoScaling",
    "AutoScalingAttachesVolumes": "AWSServiceRoleForAutoScaling",
    "EventsToQueues": "events.amazonaws.com",
    "AlarmsToTopic": "cloudwatch.amazonaws.com",
    "Logs": "logs.eu-central-1.amazonaws.com",
}


@pytest.mark.parametrize(("sentence", "key", "sid", "actions"), KEY_POLICIES, ids=[one[0] for one in KEY_POLICIES])
def test_key_policies_that_fail_silently_when_missing(
    templates: Templates, sentence: str, key: str, sid: str, actions: set[str]
) -> None:
    policy = templates.at(f"vagus-prod/Keys/{key}/Resource").properties["KeyPolicy"]
    (statement,) = (one for one in policy["Statement"] if one.get("Sid") == sid)
    assert actions <= set(listed(statement["Action"])), sentence
    assert any(isinstance(one, str) and PRINCIPALS[sid] in one for one in walk(statement["Principal"]))
    assert statement["Condition"] if sid != "AutoScalingUsesVolumes" else True


def test_the_page_says_how_many_invocations_are_reserved(templates: Templates) -> None:
    """Who deploys into a new account asks for them first."""
    functions = [one for one in templates.resources(FUNCTION) if "ReservedConcurrentExecutions" in one.properties]
    total = sum(one.properties["ReservedConcurrentExecutions"] for one in functions)
    page = (Path(__file__).parents[2] / "docs/infrastructure.md").read_text()
    assert f"must allow the {total} that are reserved" in " ".join(page.split())


def test_the_poller_never_asks_for_more_than_intake_may_do_at_once(templates: Templates) -> None:
    """What is throttled counts as a try of each message: a burst of events would end in the dead letters."""
    (mapping,) = templates.resources(MESSAGES)
    reserved = templates.function("vagus-prod-intake").properties["ReservedConcurrentExecutions"]
    assert mapping.properties["ScalingConfig"]["MaximumConcurrency"] <= reserved
