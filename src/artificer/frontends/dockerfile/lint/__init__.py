"""What could be better in a Dockerfile: docker's rules, one function each."""
