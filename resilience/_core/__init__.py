"""Decisions. Nothing in this room waits, reads a file, logs, or looks at a wall clock."""
