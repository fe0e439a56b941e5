"""The local AWS: ministack, extended where it falls short of what AWS does.

One module per AWS service. Every extension goes through a seam of ministack that is asserted (`seams.py`), so that
another version of ministack fails at start with a sentence instead of passing tests it should not. Nothing here may be
imported by the product: it is started as a process (`python -m vagus_local.emulator`) and talked to over HTTP.
"""
