"""What policy files and code tables say, as frozen data."""
