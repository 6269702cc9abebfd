"""Mutants of `resilience._core`: the source with one small mistake made in it. Do the tests notice?

`python -m benchmarks.mutants` tells; see `__main__.py`.
"""
