"""The rules that BUILD files may use, one file for each family."""
