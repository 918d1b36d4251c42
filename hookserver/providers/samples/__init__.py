"""Imagined events of every sender that is known by name: bodies and headers as its documents show them, with values of our own.

One file for each kind of sender. Nothing here is signed: ``core/schemes/sending.py`` does that, the mirror of what checks it.
"""
