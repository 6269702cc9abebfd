"""An error becomes a Failure."""
