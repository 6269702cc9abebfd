"""Runs the connections of a stream under asyncio; the only part of the package that waits."""
