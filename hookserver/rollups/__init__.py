"""rollups: one pure file per fold over the log."""
