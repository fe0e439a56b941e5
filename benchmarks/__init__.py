"""Figures as ratios to a baseline of the same run: absolute times mean little on a shared machine.

A benchmark is a module of this folder with a function `figures() -> list[Figure]`; `python -m benchmarks [NAME ...]`
runs all of them, or those named, prints a table and writes `.local/bench.json`.
"""
