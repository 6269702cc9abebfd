"""The code of streams that waits and holds the sockets."""
