"""Words of Dockerfiles: variables, modifiers, quotes and escapes."""

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer import limits
from artificer.frontends.dockerfile.expand import InvalidWord, expand, expand_document
from artificer.frontends.dockerfile.wildcard import InvalidPattern, wildcard

HAVE = {
    "v": "value",
    "empty": "",
    "path": "/usr/local/lib/a.tar.gz",
    "x": "xxyy",
    "stars": "a***yy*",
    "two": "one two",
    "한국어": "korean",
    "pattern": r"\*/",
}


def text(word: str, escape: str = "\\") -> str:
    return expand(word, HAVE, escape).text


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("plain", "plain"),
        ("$v", "value"),
        ("${v}", "value"),
        ("a$v.b", "avalue.b"),
        ("$vx", ""),
        ("${v}x", "valuex"),
        ("$", "$"),
        ("a$ b", "a$ b"),
        ("$.", "$."),
        ("$한국어", "korean"),
        ("$unset", ""),
        ("${unset}", ""),
        # Positional and special parameters are names, which nobody can set.
        ("$1a", "a"),
        ("$@ $* $# $? $- $! $0 $$v", "       v"),
    ],
)
def test_names_are_replaced(word: str, result: str) -> None:
    assert text(word) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("${v:-w}", "value"),
        ("${unset:-w}", "w"),
        ("${empty:-w}", "w"),
        ("${empty-w}", ""),
        ("${unset-w}", "w"),
        ("${unset-}", ""),
        ("${v:+w}", "w"),
        ("${empty:+w}", ""),
        ("${empty+w}", "w"),
        ("${unset+w}", ""),
        ("${v:?wrong}", "value"),
        ("${v?wrong}", "value"),
        ("${empty?wrong}", ""),
        ("${unset:-$v}", "value"),
        ("${unset:-${empty:-${v}}}!", "value!"),
        ("${unset:-'}'}", "}"),
        ('${unset:-"a } b"}', "a } b"),
        (r"${unset:-\}}", "}"),
        ("${unset:-a:b-c}", "a:b-c"),
    ],
)
def test_alternatives_depend_on_whether_a_variable_is_set_or_empty(word: str, result: str) -> None:
    assert text(word) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("${path#*/}", "usr/local/lib/a.tar.gz"),
        ("${path##*/}", "a.tar.gz"),
        ("${path%.*}", "/usr/local/lib/a.tar"),
        ("${path%%.*}", "/usr/local/lib/a"),
        ("${path#/?sr}", "/local/lib/a.tar.gz"),
        ("${path%no}", "/usr/local/lib/a.tar.gz"),
        ("${x#*x*y}", "y"),
        ("${x#*}", "xxyy"),
        ("${x##*}", ""),
        ("${x##*x}", "yy"),
        ("${x#}", "xxyy"),
        ("${x%}", "xxyy"),
        ("${x#$empty}", "xxyy"),
        (r"${stars%%\**\*}", "a"),
        (r"${stars%\*}", "a***yy"),
        ("${x#${x%yy}}", "yy"),
        ("${x#'xx'}", "yy"),
        ('${x#"xx"}', "yy"),
        ("${unset#x}", ""),
    ],
)
def test_beginnings_and_ends_are_cut(word: str, result: str) -> None:
    assert text(word) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("${path/usr/opt}", "/opt/local/lib/a.tar.gz"),
        ("${path/l*l/X}", "/usr/Xib/a.tar.gz"),
        (r"${path/\//-}", "-usr/local/lib/a.tar.gz"),
        (r"${path//\//-}", "-usr-local-lib-a.tar.gz"),
        (r"${path//\//\/}", r"\/usr\/local\/lib\/a.tar.gz"),
        ("${path//./}", "/usr/local/lib/atargz"),
        ("${x//?/-}", "----"),
        ("${x/none/-}", "xxyy"),
        ("${x/$empty/-}", "-xxyy"),
        ("${x//*/-}", "-"),
        ("${x//x/$v}", "valuevalueyy"),
        ("${x///}", "xxyy"),
        ("${stars//$pattern/.}", "a***yy*"),
        (r"${stars//\*/}", "ayy"),
        ("${unset/a/b}", ""),
        ("${x/x/}", "xyy"),
    ],
)
def test_matches_are_replaced(word: str, result: str) -> None:
    assert text(word) == result


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("'$v'", "$v"),
        (r"'\'", "\\"),
        ('"$v"', "value"),
        (r'"\$v \" \\ \n"', r'$v " \ \n'),
        (r"\$v", "$v"),
        (r"\${v}", "${v}"),
        (r"a\ b", "a b"),
        (r"\n", "n"),
        ("end\\", "end"),
        ('it"\'"s', "it's"),
        ("''", ""),
    ],
)
def test_quotes_and_escapes_are_taken_away(word: str, result: str) -> None:
    assert text(word) == result


def test_the_escape_character_may_be_a_backtick() -> None:
    assert text("C:\\dir`$v", "`") == "C:\\dir$v"
    assert text('"`"`$v\\"', "`") == '"$v\\'
    assert text("${unset:-`}}", "`") == "}"
    assert text("${stars%`*}", "`") == "a***yy"


def test_words_are_split_at_blanks_that_no_quote_holds() -> None:
    assert expand("$two 'a b' c\\ d \"$two\" x$two", HAVE).words == (
        *("one", "two", "a b", "c d", "one two", "xone", "two"),
    )
    assert expand("  a '' b  ", HAVE).words == ("a", "b")
    assert expand("", HAVE).words == ()


def test_used_and_missing_variables_are_told() -> None:
    expansion = expand("$v ${a} ${b:-$c} ${x:-$d} ${e+f} ${g#h} ${path/i/$j}", HAVE)

    assert expansion.used == {"v", "x", "path"}
    assert expansion.missing == {"a", "c", "d", "g", "j"}


def test_heredocs_keep_their_quotes() -> None:
    document = "it's \"$v\" \\$v\n\\n ${unset:-'x'}\n"

    assert expand_document(document, HAVE).text == "it's \"value\" $v\nn 'x'\n"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("${", "bad substitution"),
        ("${}", "bad substitution"),
        ("${{x}}", "bad substitution"),
        ("${:x}", "bad substitution"),
        ("${/a/b}", "bad substitution"),
        ("${v", "`}` is missing"),
        ("${v:", "unsupported modifier '${v:'"),
        ("${v:-x", "`}` is missing"),
        ("${v:-${v}", "`}` is missing"),
        ("${v=x}", "unsupported modifier '${v='"),
        ("${v:=x}", "unsupported modifier '${v:='"),
        ("${v:#x}", "unsupported modifier '${v:#'"),
        ("${v:%x}", "unsupported modifier '${v:%'"),
        ("${v^^}", "unsupported modifier '${v^'"),
        ("${#v}", "unsupported modifier '${#v'"),
        ("${v/x}", "`/` is missing"),
        ("${v/x/y", "`}` is missing"),
        ("'v", "a single quote is not closed"),
        ('"v', "a double quote is not closed"),
        ("${unset:?}", "unset: is not allowed to be unset"),
        ("${unset?say $v}", "unset: say value"),
        ("${empty:?}", "empty: is not allowed to be empty"),
    ],
)
def test_what_cannot_be_expanded_is_said(word: str, message: str) -> None:
    with pytest.raises(InvalidWord) as raised:
        expand(word, HAVE)

    assert message in raised.value.message


@pytest.mark.parametrize("pattern", ["\\", "\\x", "a\\\\\\"])
def test_patterns_escape_only_what_needs_it(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match="invalid pattern"):
        wildcard(pattern)


def test_deep_nesting_is_refused_before_it_exhausts_the_stack() -> None:
    deep = "${a:-" * (limits.SUBSTITUTION_DEPTH + 1) + "}" * (limits.SUBSTITUTION_DEPTH + 1)

    with pytest.raises(InvalidWord, match="within one another"):
        expand(deep, {})
    assert expand(deep[5:-1], {}).text == ""


def test_variables_that_double_themselves_are_stopped() -> None:
    value = "x" * 1_000_000

    with pytest.raises(InvalidWord, match="grows beyond"):
        expand("$a" * 17, {"a": value})


def test_patterns_of_many_stars_take_linear_time() -> None:
    started = time.process_time()

    assert wildcard("*a" * 40 + "b").without_prefix("a" * 200_000, longest=True)[:1] == "a"
    assert wildcard("*a" * 40 + "b").replaced("a" * 200_000, "", everywhere=True)[:1] == "a"

    assert time.process_time() - started < 2


NAMES = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,5}\Z")
VALUES = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
SHORT = st.text(alphabet="ab/.", max_size=12)
GLOB = st.text(alphabet="ab/.*?", max_size=6)


@given(name=NAMES, value=VALUES)
def test_a_variable_stands_for_its_value_whatever_that_holds(name: str, value: str) -> None:
    for word in (
        f"${name}",
        f"${{{name}}}",
        f'"${name}"',
        f"${{{name}-x}}",
        f"${{no_{name}-${name}}}",
    ):
        assert expand(word, {name: value}).text == value


@given(value=VALUES.filter(lambda value: "'" not in value))
def test_single_quotes_keep_anything(value: str) -> None:
    expansion = expand(f"'{value}'", {})

    assert expansion.text == value
    assert expansion.words == ((value,) if value else ())


@given(value=VALUES)
def test_an_escape_before_every_character_keeps_anything(value: str) -> None:
    assert expand("".join("\\" + char for char in value), {}).text == value


@given(word=st.text(alphabet="ab${}:-+?#%/*'\"\\` \n", max_size=40))
def test_any_word_is_expanded_or_refused(word: str) -> None:
    for escape in "\\`":
        try:
            expansion = expand(word, {"a": "a b", "b": ""}, escape)
        except (InvalidWord, InvalidPattern):
            continue
        assert "".join(expansion.text.split()) == "".join("".join(expansion.words).split())


@given(value=SHORT, pattern=GLOB)
def test_cuts_agree_with_trying_every_length(value: str, pattern: str) -> None:
    regex = re.compile(fnmatch.translate(pattern))
    ends = [n for n in range(len(value) + 1) if regex.match(value[:n])]
    starts = [n for n in range(len(value) + 1) if regex.match(value[n:])]
    matcher = wildcard(pattern)

    assert matcher.without_prefix(value, longest=False) == (value[ends[0] :] if ends else value)
    assert matcher.without_prefix(value, longest=True) == (value[ends[-1] :] if ends else value)
    assert matcher.without_suffix(value, longest=False) == value[: starts[-1] if starts else None]
    assert matcher.without_suffix(value, longest=True) == value[: starts[0] if starts else None]


@given(value=SHORT, pattern=GLOB.filter(bool))
def test_replacing_agrees_with_regular_expressions(value: str, pattern: str) -> None:
    regex = re.compile(
        "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    )
    matcher = wildcard(pattern)

    assert matcher.replaced(value, "X", everywhere=False) == regex.sub("X", value, count=1)
    # Python replaces an empty match behind another one too; Go and we do not.
    if not regex.fullmatch(""):
        assert matcher.replaced(value, "X", everywhere=True) == regex.sub("X", value)
