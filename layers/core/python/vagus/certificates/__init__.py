"""certificates: who signs for a cluster's nodes. So far the issuer alone, and no function runs it.

- `profile`    what certificates look like, in code
- `signing`    an authority's key that lies in KMS, as the `cryptography` package wants it
- `requests`   who may have what: a table of refusals
- `issuing`    a node's request in, a chain or a refusal out, with a record of either

All of them need the package `cryptography`: functions that sign nothing never import them. None reads a clock, an
environment or a client: they are given.
"""
