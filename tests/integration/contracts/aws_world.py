"""What a contract test may do to AWS beside the port: the same words for the local AWS and for the fakes."""

import json
from typing import Literal, Protocol

from tests.integration.emulator.support import REGION, Aws, until

from vagus.aws.clients import Clients
from vagus.aws.fake import FakeGroups
from vagus.aws.groups import AutoScalingGroups
from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK, Instance
from vagus.ports import GroupsWrite

ROLES = ("cluster_manager", "data")
ZONE = f"{REGION}b"


def state_table(aws: Aws) -> str:
    """A table with the keys that the stack gives it."""
    aws.dynamodb.create_table(
        TableName="state",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    return "state"


def state_machine(aws: Aws) -> str:
    """A machine that runs until it is stopped."""
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86_400, "End": True}}}
    role = f"arn:aws:iam::{aws.account}:role/machine"
    made = aws.stepfunctions.create_state_machine(name="zone_balance", definition=json.dumps(wait), roleArn=role)
    return str(made["stateMachineArn"])


class GroupsWorld(Protocol):
    """Groups, and what happens to them."""

    port: GroupsWrite

    def create(
        self, name: str, cluster: str, *, desired: int, retains: bool = True, hook: str | None = TERMINATE_HOOK
    ) -> None: ...

    def scale_in(self, instance: str) -> None:
        """One instance begins to leave; the group's desired size falls."""
        ...

    def hold_launches(self, group: str) -> None:
        """From now on each launch meets our launch hook."""
        ...

    def refuse_launches(self, group: str) -> None:
        """From now on EC2 can launch nothing in this group."""
        ...

    def renew_template(self, group: str) -> None:
        """A deploy: its launch template has a new version, from which the group launches from now on."""
        ...

    def protect(self, instance: str) -> None:
        """A person protects it from scale-in."""
        ...

    def stand_by(self, instance: str) -> None:
        """A person takes it out of service; it runs on."""
        ...

    def serve_again(self, instance: str) -> None:
        """And back."""
        ...

    def await_lifecycle(self, group: str, instance: str, lifecycle: str | None) -> None:
        """Until the instance is in that state; `None`: gone from its group."""
        ...


class FakeWorldGroups:
    """The fake, whose clock stands still: nothing takes time."""

    def __init__(self) -> None:
        self._now = 1_700_000_000.0
        self.fake = FakeGroups(lambda: self._now)
        self.port: GroupsWrite = self.fake

    def create(
        self, name: str, cluster: str, *, desired: int, retains: bool = True, hook: str | None = TERMINATE_HOOK
    ) -> None:
        self.fake.create(
            name, cluster=cluster, zone=ZONE, roles=ROLES, desired=desired, retains=retains, hook=hook, most=9
        )

    def scale_in(self, instance: str) -> None:
        self.fake.scale_in(instance)

    def hold_launches(self, group: str) -> None:
        self.fake.hold_launches(group)

    def refuse_launches(self, group: str) -> None:
        self.fake.refuse_launches(group, "You have exceeded your quota.")

    def renew_template(self, group: str) -> None:
        name, version = self.fake.describe()[0].template.split(":")
        self.fake.launches_from(group, f"{name}:{int(version) + 1}")

    def protect(self, instance: str) -> None:
        self.fake.protect(instance)

    def stand_by(self, instance: str) -> None:
        self.fake.stand_by(instance)

    def serve_again(self, instance: str) -> None:
        self.fake.stand_by(instance, back=True)

    def await_lifecycle(self, group: str, instance: str, lifecycle: str | None) -> None:
        self.fake.settle()
        assert lifecycle_of(self.port, group, instance) == lifecycle


class AwsGroups:
    """The adapter on the local AWS, with groups as our templates make them."""

    def __init__(self, aws: Aws, clients: Clients) -> None:
        self._aws = aws
        self.port: GroupsWrite = AutoScalingGroups(clients, "local")

    def create(
        self, name: str, cluster: str, *, desired: int, retains: bool = True, hook: str | None = TERMINATE_HOOK
    ) -> None:
        result: Literal["retain", "terminate"] = "retain" if retains else "terminate"
        tags = {"cluster": cluster, "group": "core", "roles": ",".join(ROLES), "cell": "local"}
        self._aws.group(
            name,
            DesiredCapacity=desired,
            subnets=self._aws.subnets("ab")[1:],
            LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "1"},
            Tags=[{"Key": f"vagus:{key}", "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
            InstanceLifecyclePolicy={"RetentionTriggers": {"TerminateHookAbandon": result}},
        )
        if hook:
            self._aws.hook(name, hook)
        until(lambda: len(self._aws.in_service(name)) == desired)

    def scale_in(self, instance: str) -> None:
        self._aws.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=instance, ShouldDecrementDesiredCapacity=True
        )

    def hold_launches(self, group: str) -> None:
        self._aws.hook(group, LAUNCH_HOOK, going=False, DefaultResult="CONTINUE")

    def refuse_launches(self, group: str) -> None:
        template = self._aws.shown(group)["LaunchTemplate"]["LaunchTemplateName"]
        self._aws.ec2.delete_launch_template(LaunchTemplateName=template)

    def renew_template(self, group: str) -> None:
        shown = self._aws.shown(group)["LaunchTemplate"]
        made = self._aws.ec2.create_launch_template_version(
            LaunchTemplateId=shown["LaunchTemplateId"],
            SourceVersion=shown["Version"],
            LaunchTemplateData={"InstanceType": "r7g.xlarge"},
        )
        version = str(made["LaunchTemplateVersion"]["VersionNumber"])
        self._aws.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=group,
            LaunchTemplate={"LaunchTemplateId": shown["LaunchTemplateId"], "Version": version},
        )

    def protect(self, instance: str) -> None:
        (group,) = self.port.groups_of([instance]).values()
        self._aws.autoscaling.set_instance_protection(
            AutoScalingGroupName=group, InstanceIds=[instance], ProtectedFromScaleIn=True
        )

    def stand_by(self, instance: str) -> None:
        (group,) = self.port.groups_of([instance]).values()
        asked = {"AutoScalingGroupName": group, "InstanceIds": [instance]}
        self._aws.autoscaling.enter_standby(**asked, ShouldDecrementDesiredCapacity=True)

    def serve_again(self, instance: str) -> None:
        (group,) = self.port.groups_of([instance]).values()
        self._aws.autoscaling.exit_standby(AutoScalingGroupName=group, InstanceIds=[instance])

    def await_lifecycle(self, group: str, instance: str, lifecycle: str | None) -> None:
        until(lambda: lifecycle_of(self.port, group, instance) == lifecycle)


def lifecycle_of(port: GroupsWrite, group: str, instance: str) -> str | None:
    """Auto Scaling's word for an instance; `None` if its group doesn't list it."""
    return next((one.lifecycle for one in members(port, group) if one.id == instance), None)


def members(port: GroupsWrite, group: str) -> tuple[Instance, ...]:
    """The instances of a group, as the port tells them."""
    return next(one.instances for one in port.describe() if one.name == group)
