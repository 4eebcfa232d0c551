"""What is said beside a Dockerfile: named contexts, and arguments for the builder."""

import pytest

from artificer.builder.stages import ContextFiles
from artificer.errors import ArtificerError, Misused
from artificer.frontends.dockerfile.contexts import Contexts, StageName, named_context
from artificer.frontends.dockerfile.options import Controls, Options, controls, proxies
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.reference import Layout, StoreName, parse_name

ARM = Platform("linux", "arm64")


@pytest.mark.parametrize(
    ("text", "name", "source"),
    [
        ("a=./dir", "a", ContextFiles("a")),
        ("a=b=c", "a", ContextFiles("a")),
        ("a=https://example.org/x.git#v1:sub", "a", ContextFiles("a")),
        ("a=git@example.org:x/y.git", "a", ContextFiles("a")),
        ("Build=/dir", "build", ContextFiles("build")),
        ("docker.io/library/alpine:latest=x", "alpine", ContextFiles("alpine")),
        ("alpine:3=docker-image://debian:13", "alpine:3", parse_name("debian:13")),
        ("a=oci-layout://dir:v1", "a", Layout("dir", "v1")),
        ("a=oci-layout:///abs.d/dir", "a", Layout("/abs.d/dir")),
        ("a=target:Build", "a", StageName("build")),
        ("a=store:mine", "a", StoreName("mine:latest")),
    ],
)
def test_a_context_is_an_image_a_stage_or_files(text: str, name: str, source: object) -> None:
    context = named_context(text)

    assert (context.name, context.source) == (name, source)
    assert context.value == text.partition("=")[2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "not a named context"),
        ("=x", "not a named context"),
        ("a=", "not a named context"),
        ("a::=x", "not a named context"),
        ("a::b/c/d/e/f=x", "not a platform"),
        ("scratch=x", "no context may be called 'scratch'"),
        ("Context=x", "no context may be called 'Context'"),
        ("a b=x", "not a name for a context"),
        ("a=docker-image://A b", "is not an image reference"),
        ("a=oci-layout://dir@sha256:12", "read by its tags"),
    ],
)
def test_what_is_no_context_is_refused(text: str, message: str) -> None:
    with pytest.raises(ArtificerError) as raised:
        named_context(text)

    assert message in raised.value.message


def test_a_context_for_the_platform_comes_first() -> None:
    contexts = Contexts([named_context("a=all"), named_context("a::linux/arm64=arm")])

    assert [found and found.value for found in (contexts.find("a", LINUX_AMD64),)] == ["all"]
    assert [found and found.value for found in (contexts.find("a", ARM),)] == ["arm"]
    assert contexts.find("b", ARM) is None
    assert contexts.find("scratch", ARM) is None
    assert contexts.find("no name", ARM) is None


def test_build_arguments_for_the_builder_are_read() -> None:
    given = {
        "BUILDKIT_INLINE_CACHE": "1",
        "BUILDKIT_MULTI_PLATFORM": "false",
        "BUILDKIT_CONTEXT_KEEP_GIT_DIR": "0",
        "BUILDKIT_CACHE_MOUNT_NS": "team",
        "BUILDKIT_DOCKERFILE_CHECK": "skip=all",
        "BUILDKIT_SYNTAX": "docker/dockerfile:1",
    }

    assert controls(given) == Controls(
        inline_cache=True,
        cache_namespace="team",
        check="skip=all",
    )
    assert controls({"BUILDKIT_INLINE_CACHE": "0"}) == controls({}) == Controls()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUILDKIT_SANDBOX_HOSTNAME", "x"),
        ("BUILDKIT_BUILD_NAME", "x"),
        ("BUILDKIT_SYNTAX", "other/front:1"),
        ("BUILDKIT_MULTI_PLATFORM", "maybe"),
        ("BUILDKIT_MULTI_PLATFORM", "1"),
        ("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "true"),
    ],
)
def test_those_that_cannot_be_honoured_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Misused, match=name):
        controls({name: value})


def test_proxies_are_given_in_both_spellings() -> None:
    assert proxies({"Http_Proxy": "a", "NO_PROXY": "b", "OTHER": "c"}) == (
        ("HTTP_PROXY", "a"),
        ("NO_PROXY", "b"),
        ("http_proxy", "a"),
        ("no_proxy", "b"),
    )


def test_options_have_defaults() -> None:
    assert Options().epoch_of("") is None
