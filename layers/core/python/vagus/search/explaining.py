"""Allocation explain in a few lines: what each node's deciders object to."""

from vagus.search.answers import Explanation, NodeDecision


def words(explanation: Explanation) -> str:
    """One line per node that is not allowed, shortest first; where none is told, the engine's summary."""
    lines = [line for one in explanation.node_allocation_decisions if (line := _line(one))]
    return "\n".join(sorted(lines, key=lambda line: (len(line), line))) or _summary(explanation)


def _line(decision: NodeDecision) -> str:
    objections = [decider.explanation for decider in decision.deciders if decider.decision != "YES"]
    return f"{decision.node_name}: {'; '.join(objections)}" if objections else ""


def _summary(explanation: Explanation) -> str:
    said = (explanation.allocate_explanation, explanation.move_explanation, explanation.rebalance_explanation)
    return next((one for one in said if one), "no decider objects")
