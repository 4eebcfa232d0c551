"""A command in a root of its own, with what the machine allows; what it changed is a layer."""
