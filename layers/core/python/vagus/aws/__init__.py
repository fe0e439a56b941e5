"""AWS behind the ports: the only package here that may import boto3.

An adapter translates and nothing else: it decides nothing, keeps no state but clients and what a warm function may
remember, and raises `vagus.errors` only. Reads are tried up to three times, writes once: whoever wrote looks again.
`fake` keeps the same contract in memory (`tests/integration/contracts`).
"""
