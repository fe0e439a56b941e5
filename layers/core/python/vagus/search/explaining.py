"""Allocation explain in a few lines: what each node's deciders object to."""

from vagus.search.answers import Explanation, NodeDecision, Rerouted


def words(explanation: Explanation) -> str:
    """One line per node that is not allowed, shortest first; where none is told, the engine's summary."""
    lines = [line for one in explanation.node_allocation_decisions if (line := _line(one))]
    return "\n".join(sorted(lines, key=lambda line: (len(line), line))) or _summary(explanation)


def refusals(rerouted: Rerouted) -> tuple[str, ...]:
    """The commands that some decider refuses, a sentence each. One that would wait for its turn (THROTTLE) is none."""
    found = []
    for one in rerouted.explanations:
        said = [decider.explanation for decider in one.decisions if decider.decision == "NO"]
        if said:
            told = one.parameters
            leg = f"{told.get('index')}[{told.get('shard')}] from {told.get('from_node')} to {told.get('to_node')}"
            found.append(f"{leg}: {'; '.join(said)}")
    return tuple(found)


def _line(decision: NodeDecision) -> str:
    objections = [decider.explanation for decider in decision.deciders if decider.decision != "YES"]
    return f"{decision.node_name}: {'; '.join(objections)}" if objections else ""


def _summary(explanation: Explanation) -> str:
    said = (explanation.allocate_explanation, explanation.move_explanation, explanation.rebalance_explanation)
    return next((one for one in said if one), "no decider objects")
