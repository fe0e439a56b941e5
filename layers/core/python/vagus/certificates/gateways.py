"""Certificates of gateways and load balancers, which lie in ACM: which are due, and what is wrong with them. Pure.

They serve clients, and call nobody: their key is born in the function that imports it, and kept in ACM alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from vagus.ending import soon
from vagus.handshake import Handshake
from vagus.policy import Certificates, Gateway
from vagus.trust import ASK_BELOW, GatewayIssued, Imported, Trust, domain, renewal_at

AGAIN_SECONDS = 600.0
"""After so long an import that was refused is tried again: a person may have mended what it was refused for."""
KEY = "EC_prime256v1"
"""As ACM names EC P-256. A certificate keeps its kind of key as long as it keeps its ARN."""
SERVER = "1.3.6.1.5.5.7.3.1"
"""The one use that a gateway's certificate has. Source: RFC 5280, 4.2.1.12, id-kp-serverAuth."""
ANOTHER = "import a first one for names of this cluster, under an ARN of its own, and declare that"
FOR_SERVERS = "with extendedKeyUsage=serverAuth alone"
WITHOUT_USES = "ACM tells of no extended key usage of it, and lets none be added", f"{ANOTHER}, {FOR_SERVERS}"
"""What is wrong with a first one that a person made so, and the way out. ACM's stand-in tells of none, whatever it has,
so that ACM itself is let refuse it."""
PORTS = ("443", "9200")
"""Where the functions' security group lets them out (`vagus_cdk.network`)."""
LONGEST = 64
"""Of the first name, which is the certificate's common name. Source: RFC 5280, ub-common-name."""
OF_OTHERS = re.compile(r"(node|vagus|admin)(-.*)?|i-[0-9a-f]+")
"""How names begin by which nodes and functions are known."""


def wrong(cluster: str, one: Gateway) -> Iterator[str]:
    """Why it may not be had as it is declared: each is a sentence for a person."""
    yield from wrong_names(cluster, one)
    yield from wrong_endpoint(one)


def wrong_names(cluster: str, one: Gateway) -> Iterator[str]:
    """Why its names may not be had."""
    below = f".{domain(cluster)}"
    for name in one.names:
        if not name.endswith(below):
            yield f"{name} does not lie below {domain(cluster)}: the authority certifies no other names"
        elif OF_OTHERS.fullmatch(name.partition(".")[0]):
            yield f"{name} begins like a name of the cluster's own nodes or functions: choose another"
    if len(one.names[0]) > LONGEST:
        yield f"{one.names[0]} has {len(one.names[0])} characters, and the first name may have {LONGEST}"
    if twice := sorted(name for name, times in Counter(one.names).items() if times > 1):
        yield f"{', '.join(twice)} is given twice: give each name once"


def wrong_endpoint(one: Gateway) -> Iterator[str]:
    """Why its endpoint can't be looked at."""
    name, _, port = one.endpoint.partition(":")
    if one.endpoint and name not in one.names:
        yield f"the endpoint {one.endpoint} is none of its names ({', '.join(one.names)})"
    if one.endpoint and port not in PORTS:
        yield f"the endpoint {one.endpoint} is out of reach: Vagus's functions get to port {' and '.join(PORTS)} alone"


def unfit(cluster: str, there: Imported) -> tuple[str, str] | None:
    """Why nothing is to be imported over what lies in ACM, and the way out, for a person."""
    if not there.by_people:
        return "AWS issued it", ANOTHER
    below = domain(cluster)
    if others := [one for one in there.names if one != below and not one.endswith(f".{below}")]:
        return (
            f"it is for {', '.join(others)}, and is not this cluster's to replace: is the ARN the right one?",
            ANOTHER,
        )
    if there.key != KEY:
        return f"its key is {there.key}, and it keeps its kind of key", f"{ANOTHER}, with {KEY}"
    if there.uses and set(there.uses) != {SERVER}:
        return f"its uses are {', '.join(there.uses)}, and ACM takes none away", f"{ANOTHER}, {FOR_SERVERS}"
    return None


def of(trust: Trust, one: Gateway) -> GatewayIssued:
    """What was imported for it; an empty one if nothing was."""
    return trust.gateways.get(one.arn, GatewayIssued())


def due(trust: Trust, policy: Certificates, now: float) -> tuple[Gateway, ...]:
    """Those that are to be imported anew now. In mode `approve` a person is asked as late as for nodes."""
    found = tuple(one for one in policy.gateways if not _fresh(trust, one, now))
    if policy.mode == "approve" and all(_may_wait(trust, one, now) for one in found):
        return ()
    return tuple(one for one in found if not of(trust, one).refused or now - of(trust, one).tried >= AGAIN_SECONDS)


def refused(trust: Trust, policy: Certificates) -> dict[str, str]:
    """Why the last import failed, by ARN: of what may pass, from the second time on."""
    return {one.arn: issued.refused for one, issued in _failed(trust, policy) if not _may_pass(issued)}


def may_pass(trust: Trust, policy: Certificates) -> dict[str, str]:
    """Why it failed for the first time, by ARN, where it may have been a moment's matter."""
    return {one.arn: issued.refused for one, issued in _failed(trust, policy) if _may_pass(issued)}


def _failed(trust: Trust, policy: Certificates) -> list[tuple[Gateway, GatewayIssued]]:
    return [(one, of(trust, one)) for one in policy.gateways if of(trust, one).refused]


def _may_pass(issued: GatewayIssued) -> bool:
    return issued.since > 0 and issued.tried - issued.since < AGAIN_SECONDS


def not_served(trust: Trust, policy: Certificates, endpoints: Mapping[str, Handshake]) -> dict[str, str]:
    """What endpoints show in place of the certificate that was imported, by ARN."""
    found = {
        one.arn: _instead(endpoints.get(one.arn), of(trust, one))
        for one in policy.gateways
        if one.endpoint and of(trust, one).serial
    }
    return {arn: instead for arn, instead in found.items() if instead}


def presses(trust: Trust, arn: str, shown: Handshake | None, now: float) -> bool:
    """Whether a person is to be told again: little is left of what was imported or of what is shown, or an authority
    that is being replaced waits for it. Nothing is known of the end of what people imported."""
    issued = trust.gateways.get(arn, GatewayIssued())
    ends = [(issued.begins, issued.ends), (shown.begins, shown.ends) if shown and shown.answered else (0.0, 0.0)]
    return len(trust.authorities) > 1 or any(last and soon(first, last, now) for first, last in ends)


def of_another(trust: Trust, policy: Certificates) -> tuple[str, ...]:
    """ARNs whose certificate the authority that signs did not issue."""
    return tuple(one.arn for one in policy.gateways if of(trust, one).signed_by != trust.signs)


def _instead(shown: Handshake | None, issued: GatewayIssued) -> str:
    if shown is None or not shown.answered:
        return f"no TLS handshake: {shown.failure if shown else 'not tried'}"
    if shown.serial != issued.serial:
        return f"it shows the certificate with serial {shown.serial}, not {issued.serial}"
    return shown.failure


def _fresh(trust: Trust, one: Gateway, now: float) -> bool:
    issued = of(trust, one)
    return _holds(trust, one) and now < renewal_at(issued.serial, issued.begins, issued.ends)


def _holds(trust: Trust, one: Gateway) -> bool:
    """Whether nothing but its age is against it."""
    issued = of(trust, one)
    fits = (issued.signed_by, issued.names) == (trust.signs, one.names)
    return fits and issued.begins >= trust.renew_before


def _may_wait(trust: Trust, one: Gateway, now: float) -> bool:
    """Whether it is no matter for a question yet."""
    issued = of(trust, one)
    asked_at = issued.ends - ASK_BELOW * (issued.ends - issued.begins)
    return _holds(trust, one) and not issued.refused and now < asked_at
