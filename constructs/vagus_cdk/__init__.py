"""What is deployed: one stack per cell, one per cluster. `docs/infrastructure.md` says what each resource is for.

Stacks only compose; each construct is one word of the design (`procedure`, `intake`, `sweep`, `keeper`, `node_group`).
Roles and state machines are derived from `vagus.steps`, never written beside it. Nothing in here talks to AWS: a synth
needs neither credentials nor network, except for the pinned packages of the dependency layer.
"""
