"""``artificer kaniko``: the command line of kaniko's executor."""
