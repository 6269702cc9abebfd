"""Loads code tables from YAML into `CodeRegistry` objects."""
