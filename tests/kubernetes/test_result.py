"""What a pod says that it built, and what becomes of words that are no result."""

import json

import pytest

from artificer.cli.job.index import message
from artificer.cli.session import Made
from artificer.kubernetes.job import Work
from artificer.kubernetes.objects import pod_of
from artificer.kubernetes.result import Result, result_of
from tests.kubernetes.recordings import recording

ONE, TWO = ("sha256:" + letter * 64 for letter in "ab")


def said(text: str) -> Result:
    pod = recording("succeeded")["pods"][0]
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = text
    return result_of(pod_of(pod), "//:x")


def test_the_words_of_the_pods_program_are_understood() -> None:
    made = [Made(f"registry.example/a@{ONE}", ONE, 1), Made(f"registry.example/b@{TWO}", TWO, 2)]
    text = message(Work("//:x", ()), made, hit=True).decode()

    result = said(text)

    assert result.references == (f"registry.example/a@{ONE}", f"registry.example/b@{TWO}")
    assert (result.digest, result.cached, result.seconds) == (ONE, True, 2.0)


def test_what_had_no_room_is_counted() -> None:
    made = [Made(f"registry.example/{'a' * 90}{at}@{ONE}", ONE, 1) for at in range(40)]
    result = said(message(Work("//:x", ()), made, hit=True).decode())

    assert 0 < len(result.references) < 40
    assert len(result.references) + result.more == 40


def test_an_image_without_a_name_is_told_by_its_target() -> None:
    assert said(json.dumps({"image": "", "digest": ONE})).references == (f"//:x@{ONE}",)


def test_a_tag_is_told_by_digest() -> None:
    text = json.dumps({"image": "registry.example/a:1", "digest": ONE})

    assert said(text).references == (f"registry.example/a@{ONE}",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cloned\n",
        "[]",
        "{",
        '{"digest": 1}',
        '{"digest": "sha256:x"}',
        '{"image": "registry.example/a:1"}',
        "[" * 5000,
        json.dumps({"digest": ONE, "x": "x" * 5000}),
    ],
)
def test_words_that_are_no_result_are_none(text: str) -> None:
    assert said(text).references == ()


def test_nothing_but_references_is_ever_printed() -> None:
    text = json.dumps(
        {"digest": ONE, "images": ["\x1b[2J", 7, f"a b@{ONE}", f"ok.example/a@{ONE}"]}
    )

    assert said(text).references == (f"ok.example/a@{ONE}",)
