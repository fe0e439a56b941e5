"""Where shards should stand, by bytes, such that the engine's own balancer agrees: a pure function of one look.

`plan(layout, policy)` answers with ordered waves of moves. Nothing here does I/O, knows the time or draws lots, and
nothing here writes to a cluster. `deciders` says what may move, `engine` what the engine would do next, the phases
(`leave`, `settle`, `level`, `primaries`) what we want, `waves` how much of it at once, `explain` what can't be had.
"""

from vagus.zone_balance.planner.model import Exchange, Index, Layout, Move, Node, Plan, Policy, Settings, Wave
from vagus.zone_balance.planner.plan import plan

__all__ = ["Exchange", "Index", "Layout", "Move", "Node", "Plan", "Policy", "Settings", "Wave", "plan"]
