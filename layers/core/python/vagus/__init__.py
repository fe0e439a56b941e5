"""Vagus: controllers that keep self-run search clusters in balance.

What runs in a function. `steps`, `plan`, `intent`, `owned` are the vocabulary; `procedure` is the frame that every
capability shares; each capability is a room of its own (`zone_balance`). Only `search`, `aws` and `kube` may talk to
anything outside the process; capabilities don't import each other (see `.importlinter`).
"""
