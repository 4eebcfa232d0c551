"""``artificer job``: builds on a Kubernetes cluster."""
