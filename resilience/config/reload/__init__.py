"""Watches policy files and compares two readings."""
