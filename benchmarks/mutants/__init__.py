"""Mutation testing of `resilience._core`: changes one small thing in the source at a time and runs the tests.

`python -m benchmarks.mutants` prints the results; see `__main__.py`.
"""
