"""Opens, reads and writes the connections of a stream under asyncio."""
