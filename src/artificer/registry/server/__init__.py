"""A registry on a store, for demos, tests and local clusters (distribution-spec 1.1)."""
