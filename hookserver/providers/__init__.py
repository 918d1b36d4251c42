"""providers: one pure file per sender: how to tell, verify, key and name what it sends."""
