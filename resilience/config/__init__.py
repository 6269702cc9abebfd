"""Loads, checks and watches policy files and code tables. Only this package imports yaml and pydantic."""
