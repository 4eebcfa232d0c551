import random
import subprocess

import pytest

from artificer.sources.debian.resolving.relations import Operator
from artificer.sources.debian.resolving.versions import BadVersion, satisfies, version_key

OPERATORS: dict[Operator, str] = {"<<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">>": "gt"}

ODD = [
    *(
        "0",
        "0~",
        "0~~",
        "00",
        "0a",
        "1",
        "1.",
        "1.0",
        "1.0~rc1",
        "1.0-0",
        "1.0-1",
        "1.0-1~bpo12+1",
    ),
    *("0:1", "1:0", "2:0~", "1-1-1", "1.2.3+dfsg-1", "1.2.3+dfsg1-1", "1a", "1+", "1~", "1-~"),
    *("1.0-1+b1", "1.0-1.1", "1.0-1deb12u1", "1.0-10", "1.0-9", "1:1.0:3-4", "09", "9", "1.0a~b"),
    *("1_0", "1_", "1@a", "1A", "1a_"),
]


def random_version(source: random.Random) -> str:
    text = str(source.randint(0, 2)) + "".join(
        source.choice("019aZ.+~") for _ in range(source.randint(0, 5))
    )
    if source.random() < 0.6:
        text += "-" + "".join(source.choice("01a.+~") for _ in range(source.randint(1, 4)))
    return f"{source.randint(0, 1)}:{text}" if source.random() < 0.2 else text


def pairs() -> list[tuple[str, str]]:
    source = random.Random(20170101)
    made = [random_version(source) for _ in range(60)]
    return [(a, b) for a in ODD for b in ODD] + [
        (source.choice(made), source.choice(made + ODD)) for _ in range(1200)
    ]


def test_the_order_is_that_of_dpkg() -> None:
    operators: tuple[Operator, ...] = ("<<", "=")
    asked = [(a, operator, b) for a, b in pairs() for operator in operators]
    script = "".join(
        f"dpkg --compare-versions '{a}' {OPERATORS[operator]} '{b}' && echo 1 || echo 0\n"
        for a, operator, b in asked
    )

    answers = subprocess.run(
        ["sh"], input=script, capture_output=True, text=True, check=True, timeout=300
    ).stdout.split()

    assert len(answers) == len(asked)
    assert [
        (question, answer)
        for question, answer in zip(asked, answers, strict=True)
        if satisfies(*question) != (answer == "1")
    ] == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_agree_with_the_order(operator: Operator) -> None:
    expected: list[bool] = {
        "<<": [True, False, False],
        "<=": [True, True, False],
        "=": [False, True, False],
        ">=": [False, True, True],
        ">>": [False, False, True],
    }[operator]

    assert [satisfies(version, operator, "1.5") for version in ("1.4", "1.5", "1.10")] == expected


def test_everything_is_what_nothing_asks_for() -> None:
    assert satisfies("1", "", "")


@pytest.mark.parametrize("text", ["", "1é", "a:1", "1 0", "-1", "1:", "9" * 2000])
def test_a_text_that_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(BadVersion, match="not a version"):
        version_key(text)
