"""rolling_upgrade: nodes are restarted one after another, for a new version or for none.

Safety: a node is stopped only while every shard that it holds has another active copy on a node that stays, a majority
of the voters stays, no snapshot runs and nothing recovers; and nodes of one zone alone are in hand at a time.
Convergence: an intent names the processes (or the version) that are to be gone. What a node runs tells whether it is
done, so nothing has to be remembered but the nodes in hand; and allocation is given back before anything waits long.

`observe` looks, `decide` is pure, `rules`, `order` and `versions` hold what it asks, `apply` does the steps.
"""
