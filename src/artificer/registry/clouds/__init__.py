"""The registries of clouds, each by its cloud's own protocol."""
