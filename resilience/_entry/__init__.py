"""Puts code under a policy: the decorator, wrapped clients, and the loaded policies with their reloads."""
