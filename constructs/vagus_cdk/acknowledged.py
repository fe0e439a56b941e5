"""Findings of cdk-nag that stay, each with the reason that an auditor will ask for, and only where it holds."""

import aws_cdk as cdk
from constructs import IConstruct

PACK = "HIPAA.Security"

REASONS = {
    "DynamoDBInBackupPlan": (
        "Point-in-time recovery keeps 35 days, deletion protection is on and the stack retains the table. State is "
        "re-read from AWS and the cluster each minute, so an older copy of it would be worse than none."
    ),
    "IAMNoInlinePolicy": (
        "Each role has one policy, derived from the steps of its function, that belongs to it alone and is created and "
        "deleted with it: a managed policy could be attached to another role, or detached while the function runs."
    ),
    "LambdaDLQ": (
        "It is called by Step Functions or by the queue's poller, which keep what fails themselves (the call in the "
        "execution's history, the message in the queue's own dead letters); or each minute by a schedule, where a call "
        "that failed is told by an alarm on errors and the next one re-reads everything: a kept call would be no use."
    ),
    "LambdaInsideVPC": (
        "The keeper calls nothing but Auto Scaling, and DynamoDB for its records, by AWS's public TLS endpoints; it "
        "holds no certificate and reaches no node. Inside the VPC, the safety of waiting instances would depend on "
        "subnets and endpoints. The issuing function calls KMS, S3, EC2 and DynamoDB, and reaches no node either."
    ),
    "S3BucketLoggingEnabled": (
        "The bucket holds published software and certificate requests, no patient data. Who read or wrote an object is "
        "recorded by CloudTrail data events, which docs/infrastructure.md asks for."
    ),
    "S3BucketReplicationEnabled": (
        "The bucket holds published software that the pipeline can upload again, in versions; no patient data."
    ),
    "SecretsManagerRotationEnabled": (
        "A client certificate is renewed with the trust of its cluster, in an order that rotation by a timer would "
        "break; docs/infrastructure.md says how and how often."
    ),
    "VPCDefaultSecurityGroupClosed": (
        "CloudFormation can't change the default group. Every network interface here names its own groups, and the "
        "subnets lead nowhere but to AWS's endpoints."
    ),
}


def acknowledge(scope: IConstruct, *rules: str) -> None:
    """Acknowledge these rules for a construct and what is in it. Raises KeyError for a rule without a reason."""
    acknowledgments = [cdk.Acknowledgment(id=f"{PACK}-{rule}", reason=REASONS[rule]) for rule in rules]
    cdk.Validations.of(scope).acknowledge(*acknowledgments)
