"""What is to be done about a cluster's certificates. Pure.

A rotation goes on from whatever is found: the row says which authorities are trusted and which one signs, handshakes
say what each node trusts and shows. Nothing moves on before every node has been seen to be where it should be.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from vagus import callers
from vagus.certificates import gateways, telling
from vagus.certificates.observed import Observed
from vagus.certificates.waiting import CALM, SAID_AT_MOST, SOON, calm, patient, silent, where_of_pods
from vagus.fleet import ClusterSpec
from vagus.plan import Blocked, Done, Plan, Steps, Wait
from vagus.policy import Gateway
from vagus.reasons import Reason
from vagus.steps import (
    AnyStep,
    DropAuthority,
    ImportCertificate,
    InstallTrust,
    IssueClientCertificate,
    MakeAuthority,
    PublishTrust,
    RenewLeaves,
    SignWith,
)
from vagus.trust import ASK_BELOW, HALF, PAGE_BELOW, ClientIssued, Trust, renewal_at, share_left

SOON_FOR_SECONDS, LATER = 60, 15
"""What takes longer is looked for less often."""
ASK_SECONDS = 10
"""Seconds between looks whether a client was acknowledged: it wakes nobody."""


def decide(observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    """The plan for these observations. `now`: epoch seconds."""
    if not spec.certified:
        return Done(reason=Reason.OWN_CERTIFICATES, message="the cluster's certificates are its owners' own")
    stages: Iterable[Callable[[Observed, ClusterSpec, float], Plan | None]] = (
        _first_authority,
        _ended,
        _published,
        _functions,
        _unseen,
        _awaited,
        _bundles,
        _leaves,
        _next_authority,
        _gateways,
        _deaf,
        _rotation,
        _away,
        _gateways_wrong,
    )
    plan = next((plan for stage in stages if (plan := stage(observed, spec, now))), None)
    return _pressing(plan or _well(observed, spec, now), observed, spec, now)


def _pressing(plan: Plan, observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    """A question is told again while little is left of a certificate, and hides no node that is deaf or silent; and a
    person is called where nothing is done."""
    if not isinstance(plan, Steps):
        return plan
    plan = msgspec.structs.replace(plan, meanwhile=_hidden(observed, spec, now))
    short = observed.short(now)
    if not short:
        return plan
    if spec.certificates.mode == "observe" and not plan.steps[0].in_every_mode:
        return Blocked(
            reason=Reason.NODE_NOT_RENEWED,
            message=f"less than {PAGE_BELOW:.0%} is left of the certificates of {', '.join(short)}, and mode observe "
            "renews none: set certificates.mode to approve, or act",
            open_deadline=True,
            foreseen=plan.steps,
        )
    return msgspec.structs.replace(plan, open_deadline=True)


def _hidden(observed: Observed, spec: ClusterSpec, now: float) -> Wait | None:
    """What a person should hear of beside a question."""
    away = _away(observed, spec, now)
    if not observed.deaf(now):
        return away
    return _wait_for_deaf(observed, spec, LATER, now, *([away.message] if away else []))


# -- the authority, and what is Vagus's own ----------------------------------------------------------------------------


def _first_authority(observed: Observed, _spec: ClusterSpec, _now: float) -> Plan | None:
    if observed.trust.authorities:
        return None
    if observed.formed:
        return Blocked(
            reason=Reason.CERTIFIED_BY_OTHERS,
            message="its nodes have certificates of another authority, and would trust none of Vagus's: its fleet file "
            "says certificates.issuer: kms, which is for clusters that are new",
        )
    return _steps(Reason.TRUST_MADE, MakeAuthority(generation=1))


def _ended(observed: Observed, _spec: ClusterSpec, now: float) -> Plan | None:
    """Whatever an authority signed is trusted by nobody once it has ended, and the engine reads no bundle that holds
    it: it goes at once, and waits for no node and no client."""
    trust = observed.trust
    ended = trust.signer is not None and trust.signer.over(now)
    if ended and trust.newest != trust.signs:
        return _steps(Reason.AUTHORITY_ENDED, SignWith(generation=trust.newest))
    if over := [one.generation for one in trust.authorities if one.over(now) and one.generation != trust.signs]:
        return _steps(Reason.AUTHORITY_ENDED, *(DropAuthority(generation=one) for one in over))
    return _steps(Reason.AUTHORITY_ENDED, MakeAuthority(generation=trust.newest + 1)) if ended else None


def _published(observed: Observed, _spec: ClusterSpec, _now: float) -> Plan | None:
    trust = observed.trust
    if trust.published == trust.generations:
        return None
    return _steps(Reason.TRUST_MADE, PublishTrust(generations=trust.generations))


def _functions(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """Of clusters that functions call."""
    if not spec.reached:
        return None
    trust = observed.trust
    steps = [
        IssueClientCertificate(role=role, signed_by=trust.signs, bundle=trust.generations)
        for role in ("read", "write")
        if not _holds(trust, trust.clients.get(role), now)
    ]
    return _steps(Reason.TRUST_MADE, *steps) if steps else None


def _holds(trust: Trust, found: ClientIssued | None, now: float) -> bool:
    if found is None or (found.signed_by, found.bundle) != (trust.signs, trust.generations):
        return False
    return found.begins >= trust.renew_before and now < renewal_at(found.serial, found.begins, found.ends)


# -- nodes -------------------------------------------------------------------------------------------------------------


def _unseen(observed: Observed, _spec: ClusterSpec, now: float) -> Plan | None:
    if not observed.unseen:
        return None
    return patient(observed, Reason.UNREACHABLE, Reason.UNREACHABLE, observed.unseen, now)


def _awaited(observed: Observed, _spec: ClusterSpec, now: float) -> Plan | None:
    """Nobody knows what pods have: nothing goes on, and they serve with what they have. A person is told once, and
    again only while an end is near, none is known, or an authority is being replaced."""
    if not observed.awaited:
        return None
    wait = patient(observed, Reason.AGENT_AWAITED, Reason.AGENT_AWAITED, observed.awaited, now)
    return calm(wait, presses=observed.presses_unseen(now))


def _away(observed: Observed, spec: ClusterSpec, now: float) -> Wait | None:
    """One authority, and a member of a cluster that has formed shows nothing: its certificate may run out unseen."""
    if not observed.silent or not observed.formed:
        return None
    then = "nobody sees whether it has a certificate that holds: start it, or let it go"
    return silent(observed, spec, observed.silent, now, then)


def _bundles(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    generations = observed.trust.generations

    def step(nodes: tuple[str, ...]) -> AnyStep:
        return InstallTrust(nodes=nodes, generations=generations)

    return _taken_up(observed, spec, observed.lagging(), step, observed.trust.bundle_wanted, now)


def _leaves(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """In mode `approve` nobody is called for each node's day: one question covers all that are due by then."""
    signs = observed.trust.signs
    if spec.certificates.mode == "approve" and not observed.worth_asking(now):
        return None

    def step(nodes: tuple[str, ...]) -> AnyStep:
        return RenewLeaves(nodes=nodes, signed_by=signs)

    return _taken_up(observed, spec, observed.stale(now), step, observed.trust.leaf_wanted, now)


def _taken_up(
    observed: Observed,
    spec: ClusterSpec,
    pending: tuple[str, ...],
    step: Callable[[tuple[str, ...]], AnyStep],
    what: str,
    now: float,
) -> Plan | None:
    """The step for those that are to be told now, and foreseen for the others; or a wait while it takes effect. Deaf
    nodes hold up no other; one that was told and answers no more holds up all."""
    if pending and (gone := observed.gone(now)):
        then = f"it was told to take up {what}, and no other node is until it is back"
        return silent(observed, spec, gone, now, then)
    told, elsewhere = observed.trust.told, _deaf_nodes(observed, now)
    reason = Reason.ROTATING if len(observed.trust.authorities) > 1 else Reason.RENEWING
    if nodes := telling.to_tell(pending, observed.answering, told, what, now, elsewhere=elsewhere):
        others = tuple(one for one in pending if one not in nodes)
        return _steps(reason, step(nodes), *([step(others)] if others else []))
    if at_it := telling.at_it(pending, told, what, now):
        newest = max(one.first for one in telling.known(at_it, told, what, now).values())
        seconds = SOON if now - newest < SOON_FOR_SECONDS else LATER
        message = f"{', '.join(at_it)}: to take up {what}"
        if elsewhere:
            return _wait_for_deaf(observed, spec, seconds, now, message)
        return Wait(seconds=seconds, reason=Reason.NODES_TAKE_UP, message=message)
    return None


def _deaf(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """All others are where they should be."""
    if not _deaf_nodes(observed, now):
        return None
    message = _deaf_words(observed, spec, now)
    return Blocked(reason=Reason.NODE_NOT_RENEWED, message=message, about=observed.called_for(now), open_deadline=True)


def _wait_for_deaf(observed: Observed, spec: ClusterSpec, seconds: int, now: float, *meanwhile: str) -> Wait:
    """Others are at it: a person hears of who is deaf no later for that."""
    message = "; ".join([_deaf_words(observed, spec, now), *meanwhile])
    about = observed.called_for(now)
    return Wait(seconds=seconds, reason=Reason.NODE_NOT_RENEWED, message=message, about=about, page=True)


def _deaf_nodes(observed: Observed, now: float) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for nodes in observed.deaf(now).values() for one in nodes))


def _deaf_words(observed: Observed, spec: ClusterSpec, now: float) -> str:
    nodes = _deaf_nodes(observed, now)
    sentences = [f"{', '.join(those)} did not take up {what}" for what, those in observed.deaf(now).items()]
    said = [f"{one} said: {text}" for one, text in observed.said.items() if one in nodes]
    return "; ".join([*sentences, *said[:SAID_AT_MOST], *where_of_pods(spec, nodes)])


# -- gateways ----------------------------------------------------------------------------------------------------------


def _gateways(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """After the nodes: they come first."""
    trust = observed.trust
    steps = _imports(trust, gateways.due(trust, spec.certificates, now), trust.signs)
    reason = Reason.ROTATING if len(trust.authorities) > 1 else Reason.GATEWAYS_RENEWED
    return _steps(reason, *steps) if steps else None


def _imports(trust: Trust, which: Iterable[Gateway], signed_by: int) -> list[ImportCertificate]:
    return [
        ImportCertificate(arn=one.arn, names=one.names, signed_by=signed_by, replaces=gateways.of(trust, one).serial)
        for one in which
    ]


def _gateways_wrong(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """What ACM refused, or did not answer, and endpoints that don't show what lies in ACM."""
    trust, policy = observed.trust, spec.certificates
    if refused := gateways.refused(trust, policy):
        message = "; ".join(f"{arn}: {why}" for arn, why in refused.items())
        plan = Blocked(reason=Reason.GATEWAY_NOT_RENEWED, message=message, about=tuple(refused), open_deadline=True)
        return plan if _press(observed, refused, now) else msgspec.structs.replace(plan, once=True, seconds=CALM)
    if passing := gateways.may_pass(trust, policy):
        message = "; ".join(f"{arn}: {why}" for arn, why in passing.items())
        return Wait(seconds=LATER, reason=Reason.GATEWAY_NOT_RENEWED, message=message)
    if late := gateways.not_served(trust, policy, observed.endpoints):
        message = "; ".join(f"{arn}: {why}" for arn, why in late.items())
        about = f"{Reason.GATEWAY_NOT_SERVED} {', '.join(late)}"
        wait = patient(observed, Reason.GATEWAY_NOT_SERVED, about, message, now, tuple(late))
        return calm(wait, presses=_press(observed, late, now))
    return None


def _press(observed: Observed, arns: Iterable[str], now: float) -> bool:
    return any(gateways.presses(observed.trust, arn, observed.endpoints.get(arn), now) for arn in arns)


# -- rotation ----------------------------------------------------------------------------------------------------------


def _rotation(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """Every node that answers is where it should be: the next phase, if all answer and all clients are known. With it
    who called lately and is nobody that is declared: such a client is not waited for, and may fail."""
    trust = observed.trust
    if len(trust.authorities) < 2:
        return None
    if observed.silent:
        leave = "leave its group" if spec.reached else "go from its StatefulSet and from the fleet file"
        then = f"it must take up the new bundle, or {leave}, before the next phase"
        return silent(observed, spec, observed.silent, now, then)
    said = callers.words(observed.callers, _strangers(observed, spec), observed.answering if spec.reached else ())
    plan = _next_phase(observed, spec, now)
    return msgspec.structs.replace(plan, message=f"{plan.message}; {said}") if said else plan


def _strangers(observed: Observed, spec: ClusterSpec) -> tuple[str, ...]:
    nodes = {one.address for one in observed.handshakes}
    return callers.undeclared(observed.callers, nodes, spec.certificates.client_addresses)


def _next_phase(observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    trust = observed.trust
    if trust.signs != trust.newest:
        if waiting := _not_known(observed, spec, "trusts"):
            what = f"trust authority {trust.newest} (the bundle is published)"
            return _ask_clients(Reason.CLIENTS_TO_TRUST, waiting, what)
        return _steps(Reason.ROTATING, SignWith(generation=trust.newest), *_after_signing(observed, spec))
    if wrong := _gateways_wrong(observed, spec, now):
        return wrong
    if waiting := _not_known(observed, spec, "holds"):
        return _ask_clients(Reason.CLIENTS_TO_RENEW, waiting, f"have a certificate of authority {trust.newest}")
    return _steps(Reason.ROTATING, *_drops(observed, spec))


def _after_signing(observed: Observed, spec: ClusterSpec) -> tuple[AnyStep, ...]:
    trust = observed.trust
    return (
        RenewLeaves(nodes=observed.answering, signed_by=trust.newest),
        *_imports(trust, spec.certificates.gateways, trust.newest),
        *_drops(observed, spec),
    )


def _drops(observed: Observed, spec: ClusterSpec) -> tuple[DropAuthority, ...]:
    """A yes is for those strangers whom the question named."""
    trust, strangers = observed.trust, _strangers(observed, spec)[: callers.NAMED]
    return tuple(DropAuthority(generation=one, strangers=strangers) for one in trust.generations if one != trust.newest)


def _not_known(observed: Observed, spec: ClusterSpec, what: str) -> tuple[str, ...]:
    trust = observed.trust
    known = {name: getattr(one, what) for name, one in trust.acknowledged.items()}
    return tuple(name for name in spec.certificates.clients if known.get(name, 0) < trust.newest)


def _ask_clients(reason: Reason, waiting: tuple[str, ...], what: str) -> Plan:
    """Each of the two is a reason of its own, so that a person is told of each; and of each client that is declared
    meanwhile."""
    names = ", ".join(waiting)
    message = f"{names}: not known to {what}"
    return Wait(seconds=ASK_SECONDS, reason=reason, message=message, about=waiting, page=True)


def _next_authority(observed: Observed, spec: ClusterSpec, now: float) -> Plan | None:
    """A person wants the next, or the present one has lived half its life. It is made, and nodes are told to trust it,
    whoever is deaf: the next phase waits for them anyway."""
    trust = observed.trust
    signer = trust.signer
    if signer is None or len(trust.authorities) > 1 or spec.certificates.mode == "observe":
        return None
    # a private CA is its owners': when it is replaced is theirs to say
    old = spec.certificates.issuer == "kms" and share_left(signer.begins, signer.ends, now) < HALF
    if trust.wanted <= trust.newest and not old:
        return None
    step = MakeAuthority(generation=trust.newest + 1)
    return _steps(Reason.ROTATING, step)


# -- nothing to do -----------------------------------------------------------------------------------------------------


def _well(observed: Observed, spec: ClusterSpec, now: float) -> Plan:
    if not spec.reached and not observed.formed:
        return Done(
            reason=Reason.CERTIFIED,
            message=f"authority {observed.trust.signs} is made, and no agent of {spec.name} has told anything yet: "
            "apply its manifests at the site (docs/kubernetes.md)",
        )
    message = f"{len(observed.answering)} nodes show certificates of authority {observed.trust.signs}"
    if due := observed.stale(now):  # in mode approve: nobody is asked yet
        foreseen = (RenewLeaves(nodes=due, signed_by=observed.trust.signs),)
        message += (
            f"; {len(due)} are due, and their renewal is asked for once less than {ASK_BELOW:.0%} of the first is left"
            f"{_at(observed.next_question())}, or at once by `vagus rotate {spec.name}`"
        )
        return Done(reason=Reason.CERTIFIED, message=message, foreseen=foreseen)
    first = observed.next_renewal()
    return Done(reason=Reason.CERTIFIED, message=message + (f"; the first is renewed{_at(first)}" if first else ""))


def _at(when: float | None) -> str:
    return f" at {datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M}Z" if when else ""


def _steps(reason: Reason, *steps: AnyStep) -> Plan:
    return Steps(steps=steps, reason=reason, message=steps[0].sentence)
