"""Generates the JSON schemas and the reference tables from the settings classes."""
