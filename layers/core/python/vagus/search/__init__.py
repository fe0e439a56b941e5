"""Search clusters behind the ports: the only package here that may import urllib3.

`client` speaks HTTP to the nodes, `look` makes one `Cluster` of several answers, `engines` holds what differs between
OpenSearch and Elasticsearch, `tls` the trust. Nothing here decides, and an answer that is missing is never "empty".
`fake` keeps the same contract with a simulated engine (`tests/integration/contracts`).
"""
