"""What runs in a Kubernetes cluster for one search cluster: certificates of its pods, and nothing else.

`agent` takes pods' requests to the cluster's bucket and answers back, `node` is each pod's side. Both look, act on what
differs, and may die at any call. Neither decides who may have what for how long: Vagus does. What may not happen here:
a private key outside of its pod's memory volume, a Secret of Kubernetes, a write that a Role of `agent/kubernetes` does
not list, a request of another signer touched.

`kube` and `bucket` are the adapters (`fake_kube`, `fake_bucket` beside them keep the same contract).
"""
