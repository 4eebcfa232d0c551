"""artificer beside its peers, on workloads of the project's own making."""
