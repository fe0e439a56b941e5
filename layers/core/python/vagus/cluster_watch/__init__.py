"""The cluster watch: reads every cluster once a minute and tells what changed, as `vagus.cluster` events.

`probes` say what holds now, `changes` what of it is news, `watch` reads, tells and remembers. It starts nothing and
writes to no cluster: its events are hints, like AWS's own. It decides nothing that a capability could rely on.
"""
