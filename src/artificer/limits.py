"""Every limit on what comes from outside, as a number, in one place.

A limit is inclusive: input of exactly this size is read, one more is refused.
"""

MIB = 1024 * 1024

MANIFEST_BYTES = 4 * MIB
"""A manifest or an index (the distribution-spec asks registries to accept as much)."""

CONFIG_BYTES = 16 * MIB
"""An image's configuration."""

ENTRIES = 1_000_000
"""Members of one archive, or files of one build."""

NAME_BYTES = 4096
"""A path in an archive, and the target of a link."""

DEPTH = 255
"""Components of a path in an archive, and nesting of a JSON document."""

VALUES = 500_000
"""Values of a JSON document, each with its brackets: one byte of text is up to 60 of memory."""

EXPANSION = 1000
"""Bytes that one compressed byte may become, once there is more than `EXPANSION_FREE`."""

EXPANSION_FREE = 1024 * MIB
"""What compressed data may become whatever its ratio: zstd makes 20,000 zeros one byte."""

PAX_BYTES = 1 * MIB
"""Extended headers of one archive member, extended attributes among them."""

INDEX_MEMBERS = 1000
"""Manifests listed by one image index."""

LAYERS = 127
"""Layers of one image that every runtime can still mount (overlay2)."""

TOKEN_BYTES = 1 * MIB
"""An answer of a token service or a credential helper."""

ERROR_BYTES = 64 * 1024
"""What is read of an error's body."""

TAGS_BYTES = 32 * MIB
"""One page of a registry's list of tags, repositories or referrers."""

AUTH_FILE_BYTES = 1 * MIB
"""A file of credentials: docker's, podman's, netrc, a cloud's key file or token."""

HEAD_BYTES = 256 * 1024
"""The status line and headers of an answer, and what chunks of a body are wrapped in."""

STORE_INDEX_BYTES = 64 * MIB
"""The names of a store (an OCI layout's index.json)."""

DOWNLOAD_BYTES = 16 * 1024 * MIB
"""A file that is fetched from a URL."""

GIT_BYTES = 8 * 1024 * MIB
"""What is fetched of a repository of git, and the files of one commit."""

GIT_TREE_BYTES = 128 * MIB
"""The list of the files of one commit."""

GIT_REFS_BYTES = 32 * MIB
"""A server's list of branches and tags."""

GIT_SECONDS = 1800
"""How long git may take for one repository."""

CONTEXT_BYTES = 16 * 1024 * MIB
"""The files of a directory that was packed as an artifact."""

CONTROL_BYTES = 4 * MIB
"""A member of a Debian package's control archive."""

CONTROL_FILES = 1000
"""Files in a Debian package's control archive, which has about ten."""

SMALL_FILES_BYTES = 32 * MIB
"""Files of a layer that are kept beside its index: dpkg's database, the settings of apt."""

SETTINGS_BYTES = 16 * MIB
"""A file that is understood in the place of a maintainer script: accounts, units, lists."""

REPLACED_BYTES = 128 * MIB
"""A file that is read or copied in the place of a maintainer script; a base's that change, all."""

STATUS_BYTES = 128 * MIB
"""A list of installed packages: dpkg's database, or a file of status.d."""

STANZA_BYTES = 4 * MIB
"""One stanza of a Debian control file or package index."""

RELEASE_BYTES = 32 * MIB
"""A Release file of a Debian archive, and its signature."""

PACKAGES_BYTES = 512 * MIB
"""A package index of a Debian archive, decompressed; Debian's own has 47 MB."""

PACKAGE_VERSIONS = 10_000
"""Versions of one package in one index of a Debian archive."""

KEYRING_BYTES = 16 * MIB
"""A keyring that archives are verified against."""

KEYRING_PACKETS = 20_000
"""Packets of one keyring or signature."""

SIGNATURES = 32
"""Signatures of one Release file; each is verified against all of it."""

SOURCES_BYTES = 4 * MIB
"""A sources.list, a .sources file, or a file of preferences."""

SOURCES_LINE = 8192
"""Characters of one line of a sources.list."""

ARCHIVES = 1000
"""Suites of archives in one build."""

BUILD_FILE_BYTES = 2 * MIB
"""A BUILD, WORKSPACE or .bzl file."""

BUILD_FILE_DEPTH = 200
"""Brackets within brackets in a BUILD file; the parser recurses."""

BUILD_FILE_CHAIN = 1000
"""Operators of a BUILD file without a comma or an opening bracket between them."""

BUILD_FILE_CALLS = 200
"""Calls within calls while a BUILD file is evaluated."""

BUILD_FILE_MEMORY = 1024 * MIB
"""What the process may grow by while a BUILD file is evaluated, as far as loops are concerned."""

BUILD_FILE_CHECKS = 200_000
"""How often the interpreter may ask whether to go on: about 40 million turns of a loop."""

WORD_CHARACTERS = 16 * MIB
"""A word or heredoc of a Dockerfile, with its variables replaced."""

SUBSTITUTION_DEPTH = 100
"""Variables within ``${…}`` of one another in a word of a Dockerfile; the reader recurses."""

DOCKERFILE_BYTES = 16 * MIB
"""A Dockerfile."""

INSTRUCTIONS = 200_000
"""Instructions of a Dockerfile: each takes a kilobyte once it is read."""

INSTRUCTION_CHARACTERS = 1 * MIB
"""One instruction of a Dockerfile, its lines joined; heredocs count apart."""

HEREDOC_CHARACTERS = 8 * MIB
"""One heredoc of a Dockerfile."""

SECRET_BYTES = 500 * 1024
"""A secret of a Dockerfile build (BuildKit's own limit)."""

TRIGGERED_STAGES = 50
"""Stages of a Dockerfile that need one another by ONBUILD of their bases: each nests deeper."""

RESOLUTION_STEPS = 20_000
"""Choices that are tried for one set of Debian packages."""

RESOLUTION_TASKS = 1_000_000
"""Relations that are looked at for one set of Debian packages; GNOME with KDE takes 40,000."""

KUBERNETES_BYTES = 64 * MIB
"""One answer of a cluster's API: an object (etcd takes 1.5 MiB), or a page of them."""

KUBECTL_SECONDS = 300
"""How long kubectl may take for one request; a program that logs in may wait for a person."""

KUBERNETES_LIST_BYTES = 256 * MIB
"""All pages of a list together, or what kubectl prints: about 17,000 pods."""

LOG_LINE_BYTES = 16 * 1024
"""A line of a container's log; the rest of a longer one is another line, as with the kubelet."""
