"""Polling: lists are fetched and read here. What becomes of their entries is not known here."""
