"""Turns any error, or any returned value that is one, into a `Failure`."""
