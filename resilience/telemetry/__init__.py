"""What leaves the library: redacted text, log lines, metrics. One importer for each third-party library."""
