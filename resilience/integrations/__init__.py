"""Puts the client libraries that people use under a policy: one package or module per library, its only importer."""
