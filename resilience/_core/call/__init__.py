"""The decisions about one call. No I/O and no await: the drivers wait and send."""
