"""EC2 Auto Scaling as it really behaves, in place of ministack's, which has rows and no behaviour.

    model.py       groups, members, hooks, activities: one store per account and Region
    capacity.py    which zone to launch in, whom to take on scale-in (pure)
    refresh.py     instance refresh: whom to replace next
    lifecycle.py   launching, waiting, retaining, terminating: the only place that changes a member's state
    events.py      what EventBridge is told of
    replies.py     what Describe... shows
    actions.py     the API
    template.py    CloudFormation
    query.py       the query protocol, from botocore's own model of the service

Simplified, and said in docs/fidelity/aws.md: no cooldowns, no grace period, no warm pools, no scaling policies that
act, hooks do not notify SNS or SQS.
"""
