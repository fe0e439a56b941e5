"""Queues of a cell: encrypted with the customer key, TLS only, dead letters kept for two weeks."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from vagus_cdk.cell import Cell


def dead_letter_queue(scope: Construct, construct_id: str, cell: Cell, name: str) -> sqs.Queue:
    """Where what could not be delivered, or not be read, waits for a person."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=cell.name(name),
        encryption_master_key=cell.keys.messages,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
