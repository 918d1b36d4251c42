"""hookserver: the one durable place where every webhook lands."""

__version__ = "0.3.0"
