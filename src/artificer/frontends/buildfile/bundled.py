"""Our own files in Starlark: what every file can call, and what replaces others' helpers."""

import os

_HERE = os.path.join(os.path.dirname(__file__), "library")

SKYLIB = "skylib.bzl"
PRELUDE = "prelude.bzl"

FILES = {
    "@bazel_skylib//lib:collections.bzl": SKYLIB,
    "@bazel_skylib//lib:dicts.bzl": SKYLIB,
    "@bazel_skylib//lib:partial.bzl": SKYLIB,
    "@bazel_skylib//lib:paths.bzl": SKYLIB,
    "@bazel_skylib//lib:selects.bzl": SKYLIB,
    "@bazel_skylib//lib:shell.bzl": SKYLIB,
    "@bazel_skylib//lib:structs.bzl": SKYLIB,
    "@bazel_skylib//lib:types.bzl": SKYLIB,
    "@bazel_skylib//lib:versions.bzl": SKYLIB,
    "@bazel_skylib//:lib.bzl": SKYLIB,
    "@bazel_tools//tools/build_defs/repo:utils.bzl": SKYLIB,
}


def read_library(name: str) -> str:
    """The text of the file *name*."""
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return file.read()
