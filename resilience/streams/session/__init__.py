"""Decides what one socket of a stream does next; contains no I/O and no await."""
