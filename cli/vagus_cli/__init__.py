"""The `vagus` command: reads fleet files, shows what is and what would be done.

What may not happen here: deciding (that is `vagus.<capability>.decide`), writing to a cluster, writing to AWS. The one
exception is `vagus replay --send`, which hands an event to the bus, as AWS would.
"""
