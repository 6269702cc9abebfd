"""The clients that people have: one file each, each the only importer of its library."""
