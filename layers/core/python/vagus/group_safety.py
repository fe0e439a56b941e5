"""What an Auto Scaling group may not do to a search cluster: rules, each named for its violation.

A group that heals, balances, refreshes or tidies by itself ends healthy search nodes with their data. These rules are
asked at synth (of our own templates), in the sweep (of what stands there, whoever changed it) and by `vagus adopt`.
They judge a description and change nothing; `vagus.aws.group_facts` makes it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec

from vagus.instances import LAUNCH_HOOK, TERMINATE_HOOK
from vagus.policy import Waiver

HOOK_SECONDS = 3600
"""The shortest time-out of a terminate hook: as long as a person needs to come, if nothing sends heartbeats."""
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """A lifecycle hook, in Auto Scaling's own words. `timeout` in seconds."""

    name: str
    transition: str
    timeout: int
    default_result: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """How instances are made, or how one was. `what`: "its launch template", or "instance i-...".

    `kept_volumes`: devices whose volume outlives the instance (DeleteOnTermination said to be false). `nodes`: search
    nodes that answer from it; 0 where nobody looked.
    """

    what: str
    spot: bool
    tokens_required: bool
    kept_volumes: tuple[str, ...]
    nodes: int = 0


class GroupFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All of a group that the rules ask for. `longest_life` in seconds (0: none); `healthy` percentages, from and to.

    `roles`: those of its nodes; empty where they aren't known, and then it is taken to hold data. `unread`: what
    could not be described; a rule that needs it can't be said to hold.
    """

    name: str
    zones: tuple[str, ...]
    roles: tuple[str, ...]
    health_checks: tuple[str, ...]
    hooks: tuple[Hook, ...]
    retains: bool
    warm_pool: bool = False
    longest_life: int = 0
    healthy: tuple[int, int] | None = None
    suspended: tuple[str, ...] = ()
    machines: tuple[Machine, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def terminate_hook(self) -> Hook | None:
        """The hook that Vagus answers."""
        ours = (hook for hook in self.hooks if hook.name == TERMINATE_HOOK and hook.transition == TERMINATING)
        return next(ours, None)

    @property
    def launch_hook(self) -> Hook | None:
        """The hook that holds a launch until the cluster is whole."""
        ours = (hook for hook in self.hooks if hook.name == LAUNCH_HOOK and hook.transition == LAUNCHING)
        return next(ours, None)

    @property
    def needed(self) -> bool:
        """Whether its nodes hold data or vote."""
        return not self.roles or any(role in ("cluster_manager", "master") or "data" in role for role in self.roles)


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that a group breaks: what is so (`sentence`), and what a person does about it (`remedy`)."""

    group: str
    rule: str
    sentence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.group}: {self.sentence} ({self.rule}): {self.remedy}"


Broken = Iterator[tuple[str, str]]
"""Sentence and remedy of each way in which a rule is broken."""


def healed_by_more_than_ec2(group: GroupFacts) -> Broken:
    """One red cluster would have every one of its nodes replaced."""
    others = sorted(set(group.health_checks) - {"EC2"})
    if others:
        yield (
            f"health checks of {' and '.join(others)} replace nodes of a cluster that is merely ill",
            "set HealthCheckType to EC2",
        )


def rebalanced_across_zones(group: GroupFacts) -> Broken:
    """AZRebalance ends healthy instances to even zones out."""
    if len(group.zones) > 1 and "AZRebalance" not in group.suspended:
        yield (
            f"it spans {', '.join(group.zones)}, and AZRebalance ends healthy instances to even them out",
            "suspend AZRebalance; better, have one group for each zone",
        )


def kept_in_a_warm_pool(group: GroupFacts) -> Broken:
    """Instances that join and leave the cluster without anybody's wish."""
    if group.warm_pool:
        yield "a warm pool stops and starts instances as it likes", "delete its warm pool"


def lives_only_so_long(group: GroupFacts) -> Broken:
    """MaxInstanceLifetime replaces nodes by age, also at the worst moment."""
    if group.longest_life:
        yield f"instances are replaced after {group.longest_life} s", "set MaxInstanceLifetime to 0"


def ended_before_replaced(group: GroupFacts) -> Broken:
    """Without the policy a refresh, or a replacement, ends first and launches later."""
    if group.healthy is None or group.healthy[0] < 100 or group.healthy[1] <= 100:
        yield (
            "replacements may end an instance before the new one is there",
            "set InstanceMaintenancePolicy to MinHealthyPercentage 100, MaxHealthyPercentage 200",
        )


def without_terminate_hook(group: GroupFacts) -> Broken:
    """Nothing would wait for the shards."""
    if group.terminate_hook is None:
        yield (
            f"no terminate hook {TERMINATE_HOOK}: an instance that leaves takes its shards along",
            f"put the lifecycle hook {TERMINATE_HOOK}: {TERMINATING}, HeartbeatTimeout {HOOK_SECONDS}, ABANDON",
        )


def hook_ends_too_soon(group: GroupFacts) -> Broken:
    """The cap of all heartbeats is 100 times the time-out, and an outage of ours may last."""
    hook = group.terminate_hook
    if hook is not None and hook.timeout < HOOK_SECONDS:
        yield (
            f"the terminate hook runs out after {hook.timeout} s without a heartbeat",
            f"set its HeartbeatTimeout to {HOOK_SECONDS}",
        )


def hook_lets_go(group: GroupFacts) -> Broken:
    """A hook that runs out must end as ABANDON, which retains; CONTINUE ends the instance with its data."""
    hook = group.terminate_hook
    if hook is not None and hook.default_result != "ABANDON":
        yield f"a terminate hook that runs out says {hook.default_result}", "set its DefaultResult to ABANDON"


def without_launch_hook(group: GroupFacts) -> Broken:
    """An instance refresh would go on as soon as a machine runs, long before its node has shards."""
    if group.launch_hook is None:
        yield (
            f"no launch hook {LAUNCH_HOOK}: an instance refresh outruns the cluster's recovery",
            f"put the lifecycle hook {LAUNCH_HOOK}: {LAUNCHING}, HeartbeatTimeout {HOOK_SECONDS}, CONTINUE",
        )


def launch_hook_abandons(group: GroupFacts) -> Broken:
    """A node has shards as soon as it joins, while its launch hook still waits: a time-out must not end it."""
    for hook in group.hooks:
        if hook.transition == LAUNCHING and hook.default_result != "CONTINUE":
            yield (
                f"the launch hook {hook.name} that runs out says {hook.default_result}: it ends a node with its shards",
                f"set the DefaultResult of {hook.name} to CONTINUE",
            )


def abandoned_is_not_retained(group: GroupFacts) -> Broken:
    """Without the policy ABANDON ends the instance too: there would be no way to hold it."""
    if not group.retains:
        yield (
            "an abandoned terminate hook ends the instance",
            "set InstanceLifecyclePolicy.RetentionTriggers.TerminateHookAbandon to retain",
        )


def spot(group: GroupFacts) -> Broken:
    """A Spot reclaim waits for no hook: two minutes, and the instance is gone."""
    for machine in group.machines:
        if machine.spot and group.needed:
            yield (
                f"{machine.what} is Spot, and AWS takes it back in two minutes, whatever waits",
                "use On-Demand for nodes that hold data or vote, or waive it in the fleet file (waived: [spot])",
            )


def several_nodes_on_an_instance(group: GroupFacts) -> Broken:
    """Two nodes leave with one instance, and two copies of a shard may lie on it."""
    for machine in group.machines:
        if machine.nodes > 1:
            yield f"{machine.what} runs {machine.nodes} search nodes", "run one node on each instance"


def data_goes_with_the_instance(group: GroupFacts) -> Broken:
    """Data has to lie on a volume of its own that outlives the instance."""
    for machine in group.machines:
        if group.needed and not machine.kept_volumes:
            yield (
                f"{machine.what} keeps no volume when it ends",
                "give the data a volume of its own with DeleteOnTermination false",
            )


def metadata_without_token(group: GroupFacts) -> Broken:
    """IMDSv1 hands the node's role to whoever can make it send a request."""
    for machine in group.machines:
        if not machine.tokens_required:
            yield f"{machine.what} answers metadata requests without a token (IMDSv1)", "set HttpTokens to required"


def not_described(group: GroupFacts) -> Broken:
    """What can't be read can't be called safe."""
    for what in group.unread:
        yield f"{what} could not be described", "allow it to be described, or replace it by a launch template"


RULES: tuple[Callable[[GroupFacts], Broken], ...] = (
    healed_by_more_than_ec2,
    rebalanced_across_zones,
    kept_in_a_warm_pool,
    lives_only_so_long,
    ended_before_replaced,
    without_terminate_hook,
    hook_ends_too_soon,
    hook_lets_go,
    without_launch_hook,
    launch_hook_abandons,
    abandoned_is_not_retained,
    spot,
    several_nodes_on_an_instance,
    data_goes_with_the_instance,
    metadata_without_token,
    not_described,
)


def unseen(declared: Collection[str], groups: Sequence[GroupFacts]) -> tuple[Violation, ...]:
    """Declared groups that AWS does not show under the cluster's tags: for Vagus nothing ever leaves them, and the
    keeper keeps nothing of theirs."""
    missing = sorted(set(declared) - {group.name for group in groups})
    return tuple(
        Violation(
            group=name,
            rule="unseen",
            sentence="is declared, and no group of that name bears the tags vagus:cluster and vagus:cell",
            remedy="deploy the cluster's stack, or tag the group as docs/adopt.md says",
        )
        for name in missing
    )


def violations(groups: Sequence[GroupFacts], waived: Collection[Waiver] = ()) -> tuple[Violation, ...]:
    """Every rule that these groups break, without those that the fleet file waives."""
    return tuple(
        Violation(group=group.name, rule=rule.__name__, sentence=sentence, remedy=remedy)
        for group in groups
        for rule in RULES
        if rule.__name__ not in waived
        for sentence, remedy in rule(group)
    )
