"""What certificates gives to the frame."""

from vagus.certificates.apply import HANDLERS
from vagus.certificates.decide import decide
from vagus.certificates.observe import observe
from vagus.certificates.showing import shown
from vagus.procedure.room import Room
from vagus.steps import FRAME

CERTIFICATES = Room(
    name="certificates",
    concern="trust",
    kinds=tuple(dict.fromkeys((*HANDLERS, *(kind for kind in FRAME if kind.of_the_frame)))),
    observe=observe,
    decide=decide,
    handlers=HANDLERS,
    mode=lambda spec: spec.certificates.mode,
    failures_in_a_row=lambda spec: spec.certificates.failures_in_a_row,
    shown=shown,
    placements=("ec2", "kubernetes"),
)
