"""Operation of the server in its surroundings: the tunnel through which the internet reaches it."""
