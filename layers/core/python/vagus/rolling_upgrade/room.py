"""What rolling_upgrade gives to the frame."""

from vagus.procedure.room import Room
from vagus.rolling_upgrade import apply, replacing_apply
from vagus.rolling_upgrade.decide import decide
from vagus.rolling_upgrade.observe import observe
from vagus.steps import FRAME

HANDLERS = {**apply.HANDLERS, **replacing_apply.HANDLERS}

ROLLING_UPGRADE = Room(
    name="rolling_upgrade",
    concern="topology",
    kinds=tuple(dict.fromkeys((*HANDLERS, *(kind for kind in FRAME if kind.of_the_frame)))),
    observe=observe,
    decide=decide,
    handlers=HANDLERS,
    mode=lambda spec: spec.rolling_upgrade.mode,
    failures_in_a_row=lambda spec: spec.rolling_upgrade.failures_in_a_row,
    asks=True,
)
