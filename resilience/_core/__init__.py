"""Makes the decisions about calls. Nothing in this package waits, reads a file, logs, or reads a wall clock."""
