"""Watches policy files and lists what a reload changes."""
