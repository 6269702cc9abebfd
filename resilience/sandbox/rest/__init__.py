"""Serves the REST API of the sandbox exchange."""
