"""Implements the sandbox exchange without any network: its state, its clock, its checks and its faults."""
