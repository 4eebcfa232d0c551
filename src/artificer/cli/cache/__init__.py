"""``artificer cache``: the local store and cache repositories, looked at and cleared."""
