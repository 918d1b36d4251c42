"""web: Tornado handlers that parse, call one service and write."""
