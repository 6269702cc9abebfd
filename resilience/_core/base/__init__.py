"""Clock, events and locks."""
