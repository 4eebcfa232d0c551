"""`WORKSPACE`, `MODULE.bazel`, `BUILD` and `.bzl` files, read as targets."""
