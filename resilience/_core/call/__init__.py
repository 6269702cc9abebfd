"""Decides about one call, without I/O and without await: the drivers wait and send."""
