"""References: skopeo's grammar, Docker's implied names, and hints for what people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer.oci.digest import Digest
from artificer.oci.reference import (
    Daemon,
    DockerArchive,
    InvalidReference,
    Layout,
    Named,
    OciArchive,
    Repository,
    RootFs,
    Scratch,
    StoreName,
    parse_name,
    parse_reference,
)

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3.7", "docker.io/library/alpine:3.7"),
        ("docker://alpine:3.7", "docker.io/library/alpine:3.7"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine"),
        ("registry-1.docker.io/alpine", "docker.io/library/alpine"),
        ("bitnami/minideb-extras:jessie", "docker.io/bitnami/minideb-extras:jessie"),
        ("localhost/x", "localhost/x"),
        ("localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
        ("[::1]:5000/a", "[::1]:5000/a"),
        ("eu.gcr.io/project/app@" + SHA, "eu.gcr.io/project/app@" + SHA),
        ("quay.io/a/b:v1@" + SHA, "quay.io/a/b:v1@" + SHA),
        ("a__b/c--d.e", "docker.io/a__b/c--d.e"),
        ("store", "docker.io/library/store"),
    ],
)
def test_a_name_means_what_docker_means(text: str, meant: str) -> None:
    assert str(parse_reference(text)) == meant


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("scratch", Scratch()),
        ("oci:dir", Layout("dir")),
        ("oci:/a/b:v1", Layout("/a/b", "v1")),
        ("oci:../x:y/z", Layout("../x", "y/z")),
        ("oci:x:", Layout("x")),
        ("oci-archive:f.tar:v1", OciArchive("f.tar", "v1")),
        ("oci-archive:f.tar:docker.io/library/a:1", OciArchive("f.tar", "docker.io/library/a:1")),
        ("docker-archive:f.tar", DockerArchive("f.tar")),
        (
            "docker-archive:f.tar:app:v1",
            DockerArchive("f.tar", Named(Repository("docker.io", "library/app"), "v1")),
        ),
        ("docker-daemon:app:v1", Daemon(Named(Repository("docker.io", "library/app"), "v1"))),
        ("store:app", StoreName("app:latest")),
        ("store:docker.io/library/app:latest", StoreName("app:latest")),
        ("store:ghcr.io/a/b:v1", StoreName("ghcr.io/a/b:v1")),
        ("rootfs:/srv/root", RootFs("/srv/root")),
    ],
)
def test_each_transport_has_its_value(text: str, reference: object) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Alpine", "lower case"),
        ("./dir", "transport"),
        ("~/bin/x", "transport"),
        ("-f", "option"),
        ("https://ghcr.io/a/b", "scheme"),
        ("docker:alpine", "docker://alpine"),
        ("a:b:c", "tag"),
        ("alpine:", "tag"),
        ("alpine:-x", "tag"),
        ("alpine@sha256:abc", "digest"),
        ("oci:", "nothing"),
        ("oci::v1", "not a path and a tag"),
        ("oci:x:-v1", "not a path and a tag"),
        ("oci:x:a b", "not a path and a tag"),
        ("", "name"),
        ("a//b", "name"),
        ("-bad.registry/x", "registry"),
        ("a" * 256, "name"),
        ("alpine:" + "t" * 129, "tag"),
        ("sha256:" + "0" * 64, "write NAME@sha256:"),
    ],
)
def test_what_is_no_reference_says_why(text: str, says: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse_reference(text)

    assert says in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.exit_code == 2


def test_a_name_of_255_characters_is_the_longest() -> None:
    assert parse_name("ghcr.io/" + "a" * 247).repository.path == "a" * 247

    with pytest.raises(InvalidReference):
        parse_name("ghcr.io/" + "a" * 248)


def test_the_digest_decides_over_the_tag() -> None:
    assert parse_name(f"a:v1@{SHA}").identifier == SHA
    assert parse_name("a:v1").identifier == "v1"
    assert parse_name("a").identifier == "latest"
    assert parse_name("a:v1").pinned(Digest(SHA)) == parse_name(f"a:v1@{SHA}")


_component = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)
_registry = st.sampled_from(["docker.io", "ghcr.io", "localhost", "127.0.0.1:5000", "[::1]:80"])
_tag = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True)
_digest = st.none() | st.just(Digest(SHA))


@given(_registry, st.lists(_component, min_size=1, max_size=4), _tag, _digest)
def test_what_is_printed_is_read_again(
    registry: str, parts: list[str], tag: str | None, digest: Digest | None
) -> None:
    path = "/".join(parts)
    if registry == "docker.io" and len(parts) == 1:
        path = f"library/{path}"
    name = Named(Repository(registry, path), tag, digest)

    assert parse_name(str(name)) == name
    assert parse_reference(str(name)) == name
    assert parse_name(name.familiar) == name


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_a_misuse(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReference:
        return

    assert str(reference)
