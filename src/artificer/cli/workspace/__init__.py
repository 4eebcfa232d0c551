"""Commands over targets of BUILD files, in our words and in Bazel's."""
