"""zone_balance: shards leave before their instance does.

Safety: an instance is let go only if its node is proven empty, or if every shard has a started copy elsewhere and the
node is lost or the policy allows it. Convergence: the exclusions that are ours equal the nodes that are leaving,
whatever happened before.

`observe` looks, `decide` is pure, `rules` and `placement` hold what it asks, `apply` does the steps.
"""
