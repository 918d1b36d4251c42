"""How senders prove who they are: one struct for each way of doing it, checked against the raw bytes of a request.

A *scheme* is data (which header, which text is signed, how it is written) with four questions to it (``scheme.py``):

- ``prepare(secret)``: the key that is made of a secret in conf.yaml. Raises ValueError, in words for people and without the
  secret, for one that cannot protect anything.
- ``check(reading, keys)``: a ``Verdict``, never an exception, whatever the request holds.
- ``public_url``: whether the sender signs the address that it posts to.
- ``tokens``: the fields that hold the secret itself, and so are not written down.

``sending.py`` is the other side: it signs as a sender would.

Signatures come first and JSON after, unless the signature itself stands in the body. All keys are tried and every
comparison takes the same time. The only clock is the request's own time of arrival.
"""
