"""The frame that every capability shares: how an intent is opened, a run started, a step done, an end noted.

- `rows`     what the state table says of a cluster: heads, intents, leases, identity
- `head`     one row per cluster and capability; at most one execution runs for it
- `lease`    one writer per cluster and concern
- `foreign`  whose cluster answers, and whether anybody younger wrote to it: asked before every write on one
- `records`  no write without a record: intended before, outcome after
- `loop`     look (decide, never writes) and act (writes, never decides)
- `intake`, `sweep`, `keeper`   what starts and guards it all

Nothing here knows what a capability decides, and nothing here imports an adapter.
"""
