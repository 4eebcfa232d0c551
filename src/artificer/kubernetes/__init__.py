"""Targets as Jobs of a Kubernetes cluster, submitted and watched; the registry is their cache."""
