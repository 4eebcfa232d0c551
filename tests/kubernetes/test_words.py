"""Names, labels and amounts, as Kubernetes has them."""

from decimal import Decimal

import pytest

from artificer.kubernetes.words import (
    amount_of,
    is_label,
    is_label_value,
    is_name,
    is_qualified,
    is_variable,
)


@pytest.mark.parametrize("text", ["a", "a-b", "0", "a" * 63, "web-1"])
def test_a_label_is_of_dns(text: str) -> None:
    assert is_label(text)
    assert is_name(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a_b", "a" * 64, "ä", "a\n"])
def test_what_is_no_label(text: str) -> None:
    assert not is_label(text)


def test_a_name_has_dots() -> None:
    assert is_name("a.b-c.d")
    assert not is_name("a..b")
    assert not is_name("a." * 126 + "abc")


@pytest.mark.parametrize(
    "text", ["team", "example.org/team", "kueue.x-k8s.io/queue-name", "A_b.c"]
)
def test_a_key_may_have_a_domain(text: str) -> None:
    assert is_qualified(text)


@pytest.mark.parametrize("text", ["", "/a", "a/", "a/b/c", "-a", "A.org/b", "x" * 64, "a b"])
def test_what_is_no_key(text: str) -> None:
    assert not is_qualified(text)


def test_a_label_s_value_may_be_empty() -> None:
    assert is_label_value("")
    assert is_label_value("v1.2_3-A")
    assert not is_label_value("a b")
    assert not is_label_value("https://x")


def test_a_variable_has_a_plain_name() -> None:
    assert all(map(is_variable, ("A", "_a1", "GIT_AUTH_TOKEN.example.org", "a-b")))
    assert not any(map(is_variable, ("", "1A", "A=B", "A B", ".", "..")))


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), ("2", "2"), ("1.5Gi", "1610612736"), ("2k", "2000"), (".5", "0.5")],
)
def test_an_amount_is_a_number(text: str, number: str) -> None:
    assert amount_of(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "1GB", "1 Gi", "-1", "1ki", "Gi", "1e3", "1.2.3"])
def test_what_is_no_amount(text: str) -> None:
    assert amount_of(text) is None
