"""Warnings about settings that cannot take effect."""
