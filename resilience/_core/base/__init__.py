"""Defines what all decisions use: the clock's protocol, events, and locks that survive a fork."""
