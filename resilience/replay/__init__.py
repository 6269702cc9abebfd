"""Replays the calls of a recorded log under changed policies and compares the outcomes."""
