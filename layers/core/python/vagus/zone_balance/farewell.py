"""Stages that let an instance go, and that put right what is left behind when it has gone."""

from collections.abc import Iterable

from vagus import owned
from vagus.plan import Plan, Steps
from vagus.reasons import Reason
from vagus.steps import AnyStep, EndRetainedInstance, LetEmptyInstanceGo, LetLostInstanceGo, PutSettingsRight
from vagus.zone_balance import rules, voting
from vagus.zone_balance.looking import MOST_INTENTS, Look, demands
from vagus.zone_balance.observed import Leaver


def let_go(look: Look) -> Plan | None:
    """Instances whose data is safe. While a pause rule trips, nobody goes."""
    if rules.pause(look.cluster):
        return None
    steps = [step for one in look.leavers if not look.just_let_go(one) for step in _goodbye(look, one)]
    if not steps:
        return None
    names = ", ".join(step.subject for step in steps)
    return Steps(
        steps=(*steps, *tidying(look)), reason=Reason.LETTING_GO, message=f"the data of {names} is safe elsewhere"
    )


def _goodbye(look: Look, one: Leaver) -> Iterable[AnyStep]:
    if not one.instance.leaving or (not one.instance.retained and not one.group.hook):
        return
    if one.empty and not rules.manager_may_not_go(look.cluster, look.firm, one):
        if vote := voting.to_take(look.cluster, one.id):
            yield vote
        elif voting.votes(look.cluster, one.id):
            return
        if one.instance.retained:
            yield EndRetainedInstance(instance=one.id, group=one.group.name, node=one.id)
        else:
            yield LetEmptyInstanceGo(instance=one.id, group=one.group.name, hook=one.group.hook or "", node=one.id)
    elif one.lost and not rules.some_shard_has_no_active_copy(look.firm):
        if one.instance.retained:
            yield EndRetainedInstance(instance=one.id, group=one.group.name)
        else:
            yield LetLostInstanceGo(instance=one.id, group=one.group.name, hook=one.group.hook or "")


def tidy(look: Look) -> Plan | None:
    """Close what is over, and give back what nobody demands any more. Nothing is set that was not set before."""
    over = tuple(intent.id for intent in look.observed.intents if look.over(intent))[:MOST_INTENTS]
    still = [intent for intent in (*look.observed.intents, *look.observed.others) if intent.id not in over]
    update = owned.converge(look.cluster, owned.standing(look.cluster, demands(still))).update
    if not over and not update:
        return None
    step = PutSettingsRight(closes=over, update=update)
    return Steps(steps=(step,), reason=Reason.TIDYING, message=step.sentence)


def tidying(look: Look) -> tuple[AnyStep, ...]:
    """What is foreseen once everyone has gone."""
    closes = tuple(f"leave-{one.id}" for one in look.leavers)
    clears = owned.SettingsUpdate(persistent={owned.MARK: None})
    return (PutSettingsRight(closes=closes, update=clears),)
