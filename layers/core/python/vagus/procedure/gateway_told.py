"""What ACM told of a gateway's certificate, held against what was imported: whoever imported another by hand is found
out by its end."""

import msgspec

from vagus.errors import Conflict
from vagus.ports import Table
from vagus.procedure import rows
from vagus.procedure.head import ATTEMPTS
from vagus.trust import EARLIER_SECONDS, GatewayIssued

DAY = 86_400
APART = 2 * DAY
"""ACM tells whole days: an end that differs by more is another certificate's."""


def note(table: Table, cluster: str, arn: str, *, at: float, days: int) -> None:
    """Told at a moment (epoch seconds) that it ends in so many days. Another's than the one that was imported is to be
    replaced: by no authority of ours. A late copy of an event, of what has been replaced since, says nothing."""
    for _ in range(ATTEMPTS):
        seen = rows.read(table, cluster)
        issued, ends = seen.trust.gateways.get(arn), at + days * DAY
        if issued is None or at < issued.begins + EARLIER_SECONDS or ends + APART >= issued.ends:
            return
        other = GatewayIssued(serial=issued.serial, begins=issued.begins, ends=ends)
        changed = msgspec.structs.replace(seen.trust, gateways={**seen.trust.gateways, arn: other})
        try:
            table.write(rows.partition(cluster), seen.put("trust", changed))
        except Conflict:
            continue
        return
    raise Conflict(f"{cluster}: {ATTEMPTS} races for the row of its authorities were lost")
