"""A real Kubernetes control plane on this machine: etcd, API server, controllers, scheduler, and kwok as kubelets.

One Go binary, built once per machine into the cache from pinned modules (`programs`: some 7 minutes of CPU and 2.5 GiB
of memory); `control_plane` starts and ends it. There is no container runtime and no network: a pod is an object, and
what it would run is run as a process by whoever uses this.
"""
