"""The judge: at the moment an instance is let go, was it safe? It reads the simulated engine's truth (which disk has
which acknowledged writes), and shares no code with `vagus.zone_balance`."""

from collections.abc import Sequence
from typing import Literal

from vagus.aws.fake import FakeGroups
from vagus.aws.fake_members import seen
from vagus.instances import Group
from vagus.search.fake import FakeEngine


class Unsafe(AssertionError):
    """An instance was let go that should have stayed."""


class Oracle:
    """Judges each letting go. `one_zone`: the policy allows a full node to go, one at a time."""

    def __init__(self, engine: FakeEngine, *, one_zone: bool) -> None:
        self._engine = engine
        self._one_zone = one_zone
        self.let_go: list[str] = []
        self.late_admissions = False
        self.replaced: list[str] = []

    def judge(self, instance: str) -> None:
        """Raises `Unsafe` with the reason. Notes the instance as gone from now on."""
        if instance in self.let_go:
            raise Unsafe(f"{instance} was let go twice")
        gone = {*self.let_go, instance}
        staying = {machine.name for machine in self._engine.up()} - gone
        self._every_write_has_a_disk(instance, gone)
        machine = self._engine.machines.get(instance)
        if machine is not None and machine.up:
            self._empty_or_replaceable(instance, staying)
            self._a_majority_stays(instance, staying)
        else:
            self._everything_is_served(instance, staying)
        self.let_go.append(instance)

    def judge_admission(self, instance: str) -> None:
        """Raises `Unsafe` if it has not joined, or if the cluster has still to recover: a refresh would go on."""
        if instance not in {machine.name for machine in self._engine.up()}:
            raise Unsafe(f"{instance} is let into service, and is no node of the cluster")
        if self._has_to_recover() and not self.late_admissions:
            raise Unsafe(f"{instance} is let into service while the cluster is {self._engine.shards.status()}")

    def judge_giving_up(self, instance: str) -> None:
        """Raises `Unsafe` if it ever was a node of the cluster."""
        if instance in self._engine.machines:
            raise Unsafe(f"the launch of {instance} is abandoned, and its node had joined")

    def judge_replacing(self, instance: str, groups: Sequence[Group]) -> None:
        """Raises `Unsafe` if it would go with its data, or if another is on its way, or missing, or the cluster has to
        recover. Of one that is dead already: if some shard is served by nobody."""
        group = next(one for one in groups if any(member.id == instance for member in one.instances))
        others = [one for every in groups for one in every.instances]
        if group.unprotected:
            raise Unsafe(f"{instance} is asked to be replaced, and {group.name} would not hold it")
        if moving := [one.id for one in others if one.lifecycle not in ("InService", "Standby")]:
            raise Unsafe(f"{instance} is asked to be replaced, and {moving} is on its way")
        if lacking := [one.name for one in groups if one.short]:
            raise Unsafe(f"{instance} is asked to be replaced, and {lacking} lacks one")
        if not self._engine.machines[instance].up:
            self._everything_is_served(instance, {machine.name for machine in self._engine.up()})
        elif self._has_to_recover():
            raise Unsafe(f"{instance} is asked to be replaced while the cluster is {self._engine.shards.status()}")
        self.replaced.append(instance)

    def _has_to_recover(self) -> bool:
        """Something is missing, and might be had: not only copies that no node may take."""
        if self._engine.shards.status() == "green":
            return False
        missing = [copy for copy in self._engine.shards.copies() if not copy.active]
        hopeless = all(
            copy.state == "UNASSIGNED" and not copy.primary and not self._engine.could_take(*copy.id)
            for copy in missing
        )
        return not hopeless or any(not machine.up for machine in self._engine.machines.values())

    def _every_write_has_a_disk(self, instance: str, gone: set[str]) -> None:
        for shard, disks in self._engine.shards.in_sync().items():
            if disks and disks <= gone:
                raise Unsafe(f"{instance} was the last with every write of {shard}")

    def _everything_is_served(self, instance: str, staying: set[str]) -> None:
        copies = self._engine.shards.copies()
        served = {copy.id for copy in copies if copy.active and copy.node in staying}
        if missing := {copy.id for copy in copies} - served:
            raise Unsafe(f"{instance} is lost, and {missing} are served by nobody who stays")

    def _empty_or_replaceable(self, instance: str, staying: set[str]) -> None:
        copies = self._engine.shards.copies()
        held = {copy.id for copy in copies if instance in (copy.node, copy.target)}
        if not held:
            return
        if not self._one_zone:
            raise Unsafe(f"{instance} still holds {held}")
        if self._engine.shards.status() != "green" or any(name in self._engine.machines for name in self.let_go):
            raise Unsafe(f"{instance} holds {held}, and is not the only one to go")
        self._everything_is_served(instance, staying)

    def _a_majority_stays(self, instance: str, staying: set[str]) -> None:
        voters = self._engine.voters
        if instance in voters:
            raise Unsafe(f"the vote of {instance} is counted still")
        if instance in voters and len(staying & set(voters)) * 2 <= len(voters):
            raise Unsafe(f"without {instance} only {staying & set(voters)} of the voters {voters} stay")


class JudgedGroups(FakeGroups):
    """Groups that ask the oracle before anything of ours lets an instance go."""

    oracle: Oracle

    def complete(self, group: str, hook: str, instance: str, result: Literal["CONTINUE", "ABANDON"]) -> bool:
        found = self._waiting(group, hook, instance)
        comes = found is not None and found.members[instance].lifecycle.startswith("Pending")
        if comes and result == "CONTINUE":
            self.oracle.judge_admission(instance)
        elif comes:
            self.oracle.judge_giving_up(instance)
            self.oracle.judge(instance)
        elif found is not None and (result == "CONTINUE" or not found.retains):
            self.oracle.judge(instance)
        return super().complete(group, hook, instance, result)

    def replace(self, instance: str) -> None:
        self.settle()
        every = [seen(group, self._clock(), 0.0) for group in self._groups.values()]
        self.oracle.judge_replacing(instance, every)
        super().replace(instance)

    def terminate(self, instance: str) -> None:
        if instance in self.existing() and self._member(instance)[1].ends_at is None:
            self.oracle.judge(instance)
        super().terminate(instance)
