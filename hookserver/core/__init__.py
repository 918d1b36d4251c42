"""core: pure functions of their arguments. No clock, no files, no sockets."""
