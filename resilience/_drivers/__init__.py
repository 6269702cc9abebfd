"""Runs calls: the only code that sleeps or awaits. Every decision is made in `_core`."""
