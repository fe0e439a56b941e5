"""`make soak`: half an hour of random events, kills, denials, time-outs and people's hands, under load.

schedule   what comes when: drawn from a seed, so that a soak can be had again
hands      what can be done to a cluster and to Vagus, and how each is taken back
judge      what must be so at the end
"""
