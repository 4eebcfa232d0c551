"""Every rule of Dockerfiles has a case."""

from tools.reference import SECTIONS, dockerfile_page, rules, subjects


def test_there_is_a_case_for_every_subject_and_no_other() -> None:
    assert {rule.subject for rule in rules()} == set(subjects())


def test_every_case_says_which_rule_it_holds() -> None:
    # Rules of `--check` say by their names what they are about.
    assert [rule.case for rule in rules() if not rule.text and rule.subject < "6.8"] == []


def test_the_page_lists_every_rule() -> None:
    page = dockerfile_page()

    assert page.count("\n| ") == len(rules()) + len(SECTIONS)
