"""What zone_balance gives to the frame."""

from vagus.procedure.room import Room
from vagus.steps import FRAME
from vagus.zone_balance import apply, apply_voting, apply_warned, balancing, balancing_apply, launched
from vagus.zone_balance.decide import decide
from vagus.zone_balance.observe import observe

HANDLERS = {
    **apply.HANDLERS,
    **apply_voting.HANDLERS,
    **apply_warned.HANDLERS,
    **launched.HANDLERS,
    **balancing_apply.HANDLERS,
}

ZONE_BALANCE = Room(
    name="zone_balance",
    concern="topology",
    kinds=tuple(dict.fromkeys((*HANDLERS, *FRAME))),
    observe=observe,
    decide=decide,
    handlers=HANDLERS,
    mode=lambda spec: spec.zone_balance.mode,
    failures_in_a_row=lambda spec: spec.zone_balance.failures_in_a_row,
    deep=balancing.due,
    shown=balancing.shown,
)
