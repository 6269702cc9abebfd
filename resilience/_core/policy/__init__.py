"""Defines policies and code tables as frozen data."""
