"""certificates: TLS everywhere, renewed and replaced without one failed request.

- `profile`    what certificates look like, in code
- `signing`    an authority's key that lies in KMS, as the `cryptography` package wants it
- `requests`   who may have what: a table of refusals
- `issuing`    the issuing function: a node's request in, a chain or a refusal out
- `observe`, `decide`, `apply`, `room`   renewal and rotation, as any capability

`profile`, `signing` and `requests` need the package `cryptography`: functions that sign nothing never import them.
"""
