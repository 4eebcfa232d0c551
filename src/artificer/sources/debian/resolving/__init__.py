"""Which packages: versions, what fields mean, and the search that apt-get makes."""
