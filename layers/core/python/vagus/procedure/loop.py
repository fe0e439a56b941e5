"""Look, and act: the two functions of a procedure. `look` decides and can't write; `act` writes and can't decide."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import msgspec

from vagus.cluster import Awaited
from vagus.errors import Conflict, Denied, Malformed, VagusError
from vagus.fleet import ClusterSpec
from vagus.plan import Ask, Blocked, Done, Plan, Progress, Steps, Wait
from vagus.ports import Executions, Put, Table
from vagus.procedure import consent, pages, rows
from vagus.procedure import head as heads
from vagus.procedure import lease as leases
from vagus.procedure.pages import Told
from vagus.procedure.records import Book, Record, iso
from vagus.procedure.room import Reads, Room, Writes
from vagus.procedure.rows import Rows
from vagus.reasons import Reason
from vagus.steps import AnyStep, EndRun, HandOver, kind

ROUNDS = 1500
"""Looks per execution: each costs up to 16 history events, of which an execution may have 25,000."""
DEPLOY_SECONDS = 30
"""How long an execution that was just started waits before it hands over to one that knows more kinds: code is deployed
before the definition that goes with it."""
AWAITED_SECONDS = 3
"""How long the engine is let wait before a look: what else has happened meanwhile is seen no later than that."""
HELD_SECONDS = 2
"""How soon a lease that another holds is looked at again: a holder that lives lets it rest after seconds."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine carries from look to look.

    `failures`: applies that failed in a row; `error` the last one's name and cause. `paged`: what a person was
    told of in this run, and when (in a fresh call a list: what the run before had told at its end). `kinds`:
    of step that the running definition has a state for (empty: one of an older version, which doesn't say). `awaits`:
    what this look lets the engine wait for before it looks.
    """

    cluster: str
    capability: str
    generation: int
    rounds: int = 0
    failures: int = 0
    error: Mapping[str, str] | None = None
    paged: Mapping[str, Told] | tuple[str, ...] = {}
    progress: Progress | None = None
    round_limit: int = ROUNDS
    kinds: tuple[str, ...] = ()
    awaits: Awaited | None = None

    @property
    def execution(self) -> str:
        """The execution's name: it holds the lease under it."""
        return heads.execution_name(self.cluster, self.capability, self.generation)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a look tells the state machine. `next` names the state to go to: a step's kind, `Wait` or `EndRun`.

    `text` is what a page says.
    """

    next: str
    plan: Plan
    seconds: int
    page: bool
    subject: str
    step: AnyStep | None
    call: Call
    ends: Literal["", "Done", "Blocked"] = ""
    text: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an act went. `superseded`: the step no longer fitted, and nothing was written. `refused`: another run is
    current, and this one ends quietly.

    `call` is what the next look gets. A step that is superseded counts as one that failed: a decision and a check
    that disagree for good would else chase each other without a pause.
    """

    result: Literal["done", "superseded", "refused"]
    message: str
    call: Call


# -- look ------------------------------------------------------------------------------------------------------------


def awaited(reads: Reads, spec: ClusterSpec, call: Call) -> None:
    """Let the engine wait for what the last look waited for: it answers as soon as it is so, which no clock of ours
    does. What fails is looked at all the same, and told by the look."""
    if call.awaits is not None:
        with suppress(VagusError):
            reads.search(spec).awaited(call.awaits, AWAITED_SECONDS)


def look_and_note(
    room: Room, reads: Reads, spec: ClusterSpec, table: Table, call: Call, now: float, link: str = ""
) -> Answer:
    """One look by fresh rows; its plan is noted, unless a newer one is. A missing right is told, the table's too."""
    try:
        seen = consent.rows_for(room, spec, table)
        answer = look(room, reads, spec, seen, call, now, link)
        with suppress(Conflict):
            note_plan(table, seen, room.name, answer.plan, iso(now))
    except Denied as error:
        return _told(room, spec, _answer(_denied(error), Rows(cluster=spec.name), call, now), link)
    return answer


def look(room: Room, reads: Reads, spec: ClusterSpec, seen: Rows, call: Call, now: float, link: str = "") -> Answer:
    """One look and its decision, as the state machine wants it. `link`: where a person sees the execution."""
    plan = _of_the_frame(room, spec, seen, call, now) or _looked(room, reads, spec, seen, call, now)
    return _told(room, spec, _answer(plan, seen, call, now), link)


def _told(room: Room, spec: ClusterSpec, answer: Answer, link: str) -> Answer:
    about = f"{spec.name} {room.name} (mode {room.mode(spec)})"
    return msgspec.structs.replace(answer, text=pages.text(answer.plan, about, link)) if answer.page else answer


def _denied(error: Denied) -> Blocked:
    return Blocked(reason=Reason.DENIED, message=str(error)[:500], open_deadline=True)


def _looked(room: Room, reads: Reads, spec: ClusterSpec, seen: Rows, call: Call, now: float) -> Plan:
    """The room's plan, as far as this execution's definition goes. A right that the look itself lacks is told."""
    try:
        plan = plan_for(room, reads, spec, seen, call.progress, now)
    except Denied as error:
        return _denied(error)
    if not isinstance(plan, Steps) or not call.kinds or kind(plan.steps[0]) in call.kinds:
        return plan
    message = f"this execution has no state for {plan.steps[0].sentence!r}: one of a newer definition has"
    if call.rounds == 0:
        return Wait(seconds=DEPLOY_SECONDS, reason=Reason.HANDED_OVER, message=f"{message}; a deploy is under way")
    return Steps(steps=(HandOver(),), reason=Reason.HANDED_OVER, message=message, foreseen=plan.steps)


def plan_for(room: Room, reads: Reads, spec: ClusterSpec, seen: Rows, progress: Progress | None, now: float) -> Plan:
    """What the room would do now, as far as people let it. The same call serves run, sweep and dry run."""
    observed = room.observe(reads, spec, seen, progress, now)
    return consent.within(room.decide(observed, spec, now), room, spec, seen, now)


def _of_the_frame(room: Room, spec: ClusterSpec, seen: Rows, call: Call, now: float) -> Plan | None:
    """What the frame decides before the room is asked. First what was denied: a run that handed over, all but for the
    start of the next one, tells it too."""
    head = seen.head(room.name)
    if call.error and call.error.get("Error") == "Denied":
        return Blocked(reason=Reason.DENIED, message=call.error.get("Cause", "")[:500], open_deadline=True)
    if head.generation != call.generation:
        return Done(reason=Reason.HANDED_OVER, message=f"{head.execution or 'another execution'} goes on")
    if call.failures >= room.failures_in_a_row(spec):
        cause = (call.error or {}).get("Cause", "")[:500]
        return Blocked(
            reason=Reason.TOO_MANY_FAILURES,
            message=f"{call.failures} failures in a row, the last: {cause}",
            open_deadline=True,
        )
    if call.rounds >= call.round_limit:
        return Steps(steps=(HandOver(),), reason=Reason.HANDED_OVER, message=HandOver().sentence)
    lease = seen.lease(room.concern)
    if leases.held_by_other(lease, call.execution, now):
        return Wait(
            seconds=min(HELD_SECONDS, max(1, int(lease.expires - now) + 1)),
            reason=Reason.LEASE_HELD,
            message=f"{lease.holder} writes to this cluster's {room.concern}",
        )
    return None


def _answer(plan: Plan, seen: Rows, call: Call, now: float) -> Answer:
    page, paged = pages.told(plan, pages.read(call.paged, now), now)
    progress = plan.progress or call.progress  # a plan of the frame's own must not set the room's clocks back
    awaits = plan.awaits if isinstance(plan, Wait) else None
    carried = msgspec.structs.replace(
        call, rounds=call.rounds + 1, progress=progress, error=None, paged=paged, awaits=awaits
    )
    subject = f"{call.cluster}: {pages.headline(plan)}"[:100]
    match plan:
        case Steps(steps=(first, *_)):
            return Answer(next=kind(first), plan=plan, seconds=0, page=page, subject=subject, step=first, call=carried)
        case Wait(seconds=seconds):
            return Answer(next="Wait", plan=plan, seconds=seconds, page=page, subject=subject, step=None, call=carried)
        case Ask(seconds=most):
            seconds = min(most, 5 + call.rounds)
            return Answer(next="Wait", plan=plan, seconds=seconds, page=page, subject=subject, step=None, call=carried)
        case Blocked(open_deadline=True, seconds=seconds):
            carried = msgspec.structs.replace(carried, failures=0)
            return Answer(next="Wait", plan=plan, seconds=seconds, page=page, subject=subject, step=None, call=carried)
    told = pages.told_at_the_end(plan)
    end = EndRun(seq=seen.head(call.capability).seq, reason=plan.reason, message=plan.message, told=told)
    ends: Literal["Done", "Blocked"] = "Done" if isinstance(plan, Done) else "Blocked"
    return Answer(next="EndRun", plan=plan, seconds=0, page=page, subject=subject, step=end, call=carried, ends=ends)


# -- act -------------------------------------------------------------------------------------------------------------


def act(room: Room, writes: Writes, executions: Executions, book: Book, call: Call, step: AnyStep) -> Outcome:
    """Do one step: refuse if this run is not the current one, renew the lease, check afresh, record, write, record."""
    seen = consent.rows_for(room, writes.spec, writes.table)
    current = seen.head(room.name)
    if current.generation != call.generation:
        return _refused(call, f"generation {current.generation} is {current.state}")
    if isinstance(step, EndRun):
        return _end(room, writes.table, seen, call, step)
    if current.state != "running":
        return _refused(call, f"generation {current.generation} is {current.state}")
    if isinstance(step, HandOver):
        return _hand_over(room, writes.table, executions, seen, call)
    return _one_step(room, writes, seen, book, call, step)


def _one_step(room: Room, writes: Writes, seen: Rows, book: Book, call: Call, step: AnyStep) -> Outcome:
    if type(step) not in room.handlers:
        raise Malformed(f"{room.name} has no handler for step {kind(step)}; deploy the version that decided it")
    if why := consent.why_not(step, room, writes.spec, seen, writes.now):
        return _superseded(call, why)
    lease = leases.renew(writes.table, seen, room.concern, call.execution, writes.now)
    handler = room.handlers[type(step)]
    why = handler.check(writes, seen, step, lease.token)
    if not why:
        try:
            with book.writing(_record(room, call, step)):
                handler.do(writes, rows.read(writes.table, writes.spec.name), step, lease.token)
        except Denied:  # known not to have been done: nobody has to wait for it
            leases.rest(writes.table, seen, room.concern, lease)
            raise
    leases.rest(writes.table, seen, room.concern, lease)
    return _superseded(call, why) if why else _done(call, step.sentence)


def _done(call: Call, message: str) -> Outcome:
    return Outcome(result="done", message=message, call=msgspec.structs.replace(call, failures=0, error=None))


def _refused(call: Call, message: str) -> Outcome:
    return Outcome(result="refused", message=message, call=call)


def _superseded(call: Call, message: str) -> Outcome:
    error = {"Error": "Superseded", "Cause": message}
    counted = msgspec.structs.replace(call, failures=call.failures + 1, error=error)
    return Outcome(result="superseded", message=message, call=counted)


def _record(room: Room, call: Call, step: AnyStep) -> Record:
    return Record(
        id="",
        phase="intended",
        at="",
        cluster=call.cluster,
        capability=room.name,
        execution=call.execution,
        step=kind(step),
        subject=step.subject,
        sentence=step.sentence,
        detail=msgspec.to_builtins(step),
    )


def _end(room: Room, table: Table, seen: Rows, call: Call, step: EndRun) -> Outcome:
    """The head and the lease in one write. A head that is paused, or was ended by an earlier try, stays as it is."""
    head = seen.head(room.name)
    puts = _lease_given_back(room, seen, call)
    if head.state == "running":
        if head.seq != step.seq:
            return _superseded(call, "a new intent came: look again")
        state = "paused" if head.paused else "idle"
        ended = msgspec.structs.replace(
            head,
            state=state,
            execution="",
            reason=step.reason,
            message=step.message,
            told=step.told,
            failures=0,
            not_before=0.0,
        )
        puts.append(seen.put(f"head#{room.name}", ended))
    if puts:
        table.write(rows.partition(call.cluster), *puts)
    return _done(call, f"ended: {step.reason}")


def _lease_given_back(room: Room, seen: Rows, call: Call) -> list[Put]:
    lease = seen.lease(room.concern)
    if lease.holder != call.execution:
        return []
    return [seen.put(f"lease#{room.concern}", leases.released(lease))]


def _hand_over(room: Room, table: Table, executions: Executions, seen: Rows, call: Call) -> Outcome:
    """Generation first, then the start: if nobody lives to start it, the sweep finds the name missing."""
    head = seen.head(room.name)
    following = call.generation + 1
    handed = msgspec.structs.replace(
        head, generation=following, execution=heads.execution_name(call.cluster, room.name, following)
    )
    table.write(
        rows.partition(call.cluster), seen.put(f"head#{room.name}", handed), *_lease_given_back(room, seen, call)
    )
    carried = msgspec.to_builtins({"paged": call.paged, "round_limit": call.round_limit, "progress": call.progress})
    executions.start(handed.execution, heads.payload(call.cluster, room.name, handed) | carried)
    return _done(call, f"{handed.execution} goes on")


def note_plan(table: Table, seen: Rows, capability: str, plan: Plan, iso: str) -> None:
    """Put the plan's row: what `vagus status` shows. The only write that a deciding function may make."""
    key, partition = f"plan#{capability}", rows.plan_partition(seen.cluster)
    noted = table.read(partition, key).get(key)
    shown: dict[str, Any] = {"at": iso, **msgspec.to_builtins(plan)}
    table.write(partition, Put(key=key, data=shown, expected=noted.version if noted else 0))
