"""services: use cases; the rooms meet here."""
