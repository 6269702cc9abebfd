"""Policies and code tables as frozen data."""
