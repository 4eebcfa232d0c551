"""Every flag of kaniko's executor, of Google's last one and of its successor: what it is here."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Fate = Literal["same", "own", "usual", "refused"]


class Flag(NamedTuple):
    """A flag: *fate* says what it does here, *text* how, or why not.

    ``same`` is an option of ``artificer build`` called *option*; ``own`` is worked out from
    several; ``usual`` may have the values *values* only (none: any), for so it is anyway.
    *switch*: it may stand without a value. *hint* is the way out of a refusal.
    """

    fate: Fate
    text: str
    option: str = ""
    switch: bool = False
    values: tuple[str, ...] = ()
    hint: str = ""


def _same(option: str, text: str) -> Flag:
    return Flag("same", text, option)


def _own(text: str, *, switch: bool = False) -> Flag:
    return Flag("own", text, switch=switch)


def _usual(text: str, *values: str, hint: str = "leave it out") -> Flag:
    return Flag("usual", text, switch=True, values=values, hint=hint)


def _refused(text: str, hint: str, *, switch: bool = False) -> Flag:
    return Flag("refused", text, switch=switch, hint=hint)


_TRUE, _FALSE = "true", "false"
_RETRIES = tuple(map(str, range(6)))
_BASES = "base images are kept in the store"
_ANYWHERE = "what is trusted is named"

FLAGS: Mapping[str, Flag] = {
    "annotation": _same("--annotation", "add an annotation"),
    "bucket": _refused(
        "contexts are not read from buckets", "fetch it before: `--context tar://FILE`"
    ),
    "build-arg": _same("--build-arg", "value of an ARG; without one, that of the environment"),
    "cache": _own("share layers through DESTINATION/cache, or --cache-repo", switch=True),
    "cache-copy-layers": _usual("layers of COPY are shared", _TRUE),
    "cache-dir": _refused(_BASES, "`--store DIR`, or ARTIFICER_STORE"),
    "cache-repo": _own("the repository for that; oci:DIR is a directory"),
    "cache-run-layers": _usual("layers of RUN are shared", _TRUE),
    "cache-ttl": _refused(
        "what is known does not get old", "leave it out, or empty the repository"
    ),
    "cleanup": _usual("nothing is left behind", _TRUE, _FALSE),
    "compressed-caching": _usual("memory does not grow with a layer", _TRUE, _FALSE),
    "compression": _same("--compression", "of new layers: gzip or zstd"),
    "compression-level": _same("--compression-level", "how hard"),
    "context": _own("dir://, tar:// (tar://stdin), git://, https://, or a directory"),
    "context-sub-path": _same("--context-sub-path", "directory of the context to use"),
    "credential-helpers": _usual(
        "clouds and GitLab are asked for registries of theirs, nobody else is",
        *("env", "google", "ecr", "acr", "gitlab"),
        hint="other helpers are named in docker's config.json",
    ),
    "custom-platform": _same("--platform", "platform to build for"),
    "destination": _own("where the image is pushed to; several are possible"),
    "digest-file": _same("--digest-file", "write the image's digest"),
    "dockerfile": _own("where the Dockerfile is, here or in the context"),
    "dryrun": _refused("a build is told, not played", "`artificer build --check`", switch=True),
    "force": _usual("it runs anywhere: files of the machine are not touched", _TRUE, _FALSE),
    "git": _own("of a git context: branch=NAME, recurse-submodules=true, single-branch=true"),
    "ignore-path": _refused(
        "what a command leaves is in its layer",
        "mount what it must not leave: `RUN --mount=type=tmpfs,target=PATH`, or type=cache",
    ),
    "ignore-var-run": _usual(
        "what a command leaves in /var/run is in its layer, as with docker", _FALSE
    ),
    "image-download-retry": _usual("requests are tried five times", *_RETRIES),
    "image-format": _same("--format", "docker or oci"),
    "image-fs-extract-retry": _usual("requests are tried five times", *_RETRIES),
    "image-name-tag-with-digest-file": _own("write NAME:TAG@DIGEST of each destination"),
    "image-name-with-digest-file": _own("write NAME@DIGEST of each destination"),
    "initial-fs-unpacked": _refused(
        "files of this machine are never the image's",
        "`FROM rootfs` of a tar: ADD it",
        switch=True,
    ),
    "insecure": _own("plain http, and any certificate, for the destinations", switch=True),
    "insecure-pull": _refused(_ANYWHERE, "`--insecure-registry HOST`", switch=True),
    "insecure-registry": _same("--insecure-registry", "plain http, and any certificate, for HOST"),
    "kaniko-dir": _own("directory for the store"),
    "label": _same("--label", "add a label"),
    "log-format": _own("text, color or json"),
    "log-timestamp": _usual("lines have no time", _FALSE, hint="let `ts` add it"),
    "materialize": _refused(
        "files of this machine are never the image's", "`artificer unpack IMAGE DIR`", switch=True
    ),
    "no-push": _own("send it nowhere", switch=True),
    "no-push-cache": _own("take from the cache repository only", switch=True),
    "oci-layout-path": _own("write an OCI layout into this directory, too"),
    "pre-cleanup": _usual("nothing has to be cleaned", _TRUE, _FALSE),
    "preserve-context": _usual("nothing is removed from a context", _TRUE, _FALSE),
    "push-ignore-immutable-tag-errors": _refused(
        "a tag that cannot be written is an error", "push to a new tag", switch=True
    ),
    "push-retry": _usual("requests are tried five times, uploads go on", *_RETRIES),
    "registry-certificate": _own("HOST=FILE: trust this authority"),
    "registry-client-cert": _own("HOST=CERTIFICATE,KEY: show it"),
    "registry-map": _own("REGISTRY=MIRROR, several with `;`: read from there first"),
    "registry-mirror": _own("read docker.io's images from there first"),
    "reproducible": _usual("the same inputs give the same digest", _TRUE),
    "run-v2": _usual("there is one way to find what a command changed", _TRUE, _FALSE),
    "secret": _same("--secret", "what RUN --mount=type=secret gives a command"),
    "single-snapshot": _usual(
        "each instruction is a layer", _FALSE, hint="`artificer flatten` makes one layer of them"
    ),
    "skip-default-registry-fallback": _usual(
        "a registry is asked when its mirrors do not have it",
        _FALSE,
        hint="block it in registries.conf: `blocked = true`",
    ),
    "skip-push-permission-check": _usual("nobody is asked before", _TRUE),
    "skip-tls-verify": _own("as --insecure", switch=True),
    "skip-tls-verify-pull": _refused(_ANYWHERE, "`--skip-tls-verify-registry HOST`", switch=True),
    "skip-tls-verify-registry": _same("--insecure-registry", "as --insecure-registry"),
    "skip-unused-stages": _usual("stages that nobody needs are skipped", _TRUE),
    "snapshot-mode": _usual(
        "all changes are found", "full", "redo", hint="leave it out: it is fast anyway"
    ),
    "tar-path": _own("write what `docker load` reads, too"),
    "target": _same("--target", "stage to build"),
    "use-new-run": _usual("there is one way to find what a command changed", _TRUE, _FALSE),
    "verbosity": _own("panic, fatal, error, warn, info, debug or trace"),
}
"""By the name, without its dashes."""

SHORT = {"-c": "context", "-d": "destination", "-f": "dockerfile", "-v": "verbosity"}
OURS = ("--allow-lost-owners", "--preserve-mtime", "--rung", "--store")
"""Options of ``artificer build`` that may be given, too."""

REMOTE_CONTEXTS = {
    "gs": "`gcloud storage cp gs://… context.tar.gz` before it, then `--context tar://…`",
    "s3": "`aws s3 cp s3://… context.tar.gz` before it, then `--context tar://…`",
}
