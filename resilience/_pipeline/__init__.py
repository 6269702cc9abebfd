"""A policy becomes a compiled call."""
