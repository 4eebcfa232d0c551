"""Which images a Dockerfile needs, told without a registry."""

import pytest

from artificer.frontends.dockerfile.contexts import named_context
from artificer.frontends.dockerfile.images import images_of
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.parse import dockerfile

CASES = {
    "FROM a\n": ["a"],
    "FROM scratch\n": [],
    "FROM a AS b\nFROM b\nCOPY --from=b / /\nCOPY --from=0 / /\n": ["a"],
    "ARG V=1\nFROM a:$V\n": ["a:2"],
    "ARG W\nFROM a:${W:-3}\n": ["a:3"],
    "FROM a\nCOPY --from=c:1 / /\nCOPY --from=c:1 /x /\n": ["a", "c:1"],
    "FROM a\nRUN --mount=from=d,target=/d true\n": ["a", "d"],
    "FROM given AS b\nFROM a\nCOPY --from=b / /\n": ["given", "a"],
}


@pytest.mark.parametrize("text", CASES)
def test_images_are_those_that_no_stage_is(text: str) -> None:
    options = Options(build_args={"V": "2"})

    assert list(images_of(dockerfile(text.encode(), "Dockerfile"), options)) == CASES[text]


def test_an_image_that_stands_in_for_a_stage_is_needed_in_its_place() -> None:
    options = Options(contexts=(named_context("b=docker-image://other"),))
    read = dockerfile(b"FROM a AS b\nFROM c\n", "Dockerfile")

    assert images_of(read, options) == (
        "c",
        "docker.io/library/other",
    )
