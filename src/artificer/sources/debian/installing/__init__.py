"""What installing packages comes to: files, dpkg's database and commands, as values."""
