"""How code comes under a policy."""
