"""Pending work: one engine, one performer for each way of doing it."""
