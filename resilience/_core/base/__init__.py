"""Clock, events, and locks that survive a fork."""
