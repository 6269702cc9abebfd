"""Loads policy files and mappings into a `PolicySet`; mistakes are reported with line and column."""
