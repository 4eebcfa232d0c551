"""Package indexes are parsed once, kept by their hash, and made anew where they are damaged."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artificer import limits
from artificer.events import BlobProgress, Event
from artificer.oci.digest import Digest
from artificer.sources.debian.archives.index import BadIndex, Index, known_index, parsed_index
from artificer.sources.debian.deb822 import stanzas
from artificer.store.blobs import Store, open_store
from tests.parts.archive import compressed

TEXT = b"""\
Package: a
Version: 1
Architecture: amd64
Provides: x (= 1), y:any,
 z
Essential: yes

Package: b
Version: 2
Architecture: all
Provides: x

Package: a
Version: 2
Architecture: amd64
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def parse(data: bytes, store: Store, compression: str = "xz", expected: str = "") -> Index:
    path = Path(store.root) / "tmp" / "index"
    path.write_bytes(compressed(data, compression))
    return parsed_index(str(path), hashlib.sha256(data).hexdigest(), expected, store, "Packages")


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", ""])
def test_an_index_says_what_it_has(compression: str, store: Store) -> None:
    index = parse(TEXT, store, compression, hashlib.sha256(TEXT).hexdigest())

    assert sorted(index.names) == ["a", "b"]
    assert [stanza["Version"] for stanza in index.stanzas("a")] == ["1", "2"]
    assert index.providers("x") == ("a", "b")
    assert index.providers("y") == index.providers("z") == ("a",)
    assert index.essential == ("a",)
    assert list(index.stanzas("none")) == []


WORDS = st.text("ab-.+", min_size=1, max_size=3)
STANZA = st.fixed_dictionaries(
    {"Package": WORDS, "Version": WORDS, "Architecture": st.sampled_from(["all", "amd64"])},
    optional={
        "Provides": st.lists(WORDS, min_size=1, max_size=3).map(",\n ".join),
        "Essential": st.just("yes"),
        "Description": st.sampled_from(["x", "x\n Package: y\n .\n Provides: z"]),
    },
)


@given(st.lists(STANZA, max_size=6))
def test_an_index_finds_what_its_stanzas_say(made: list[dict[str, str]]) -> None:
    text = "\n".join(
        "".join(f"{name}: {value}\n" for name, value in fields.items()) for fields in made
    )
    with TemporaryDirectory() as folder:
        index = parse(text.encode(), open_store(f"{folder}/store"), "gz")

    assert list(stanzas(text.encode())) == made
    assert set(index.names) == {fields["Package"] for fields in made}
    for name in index.names:
        assert list(index.stanzas(name)) == [one for one in made if one["Package"] == name]
    for word in ("a", "b", "ab", "-"):
        provided = [
            one["Package"] for one in made if word in one.get("Provides", "").split(",\n ")
        ]
        assert index.providers(word) == tuple(dict.fromkeys(provided))
    essential = [one["Package"] for one in made if "Essential" in one]
    assert index.essential == tuple(dict.fromkeys(essential))


def test_an_index_is_known_by_the_hash_of_its_file(store: Store) -> None:
    key = hashlib.sha256(TEXT).hexdigest()
    assert known_index(key, store, "Packages") is None

    parse(TEXT, store)
    index = known_index(key, store, "Packages")
    assert index is not None
    assert [stanza["Version"] for stanza in index.stanzas("a")] == ["1", "2"]
    assert index.providers("x") == ("a", "b")


def test_a_damaged_text_is_not_believed(store: Store) -> None:
    parse(TEXT, store)
    path = Path(store.blob_path(Digest.of(TEXT)))
    path.write_bytes(TEXT.replace(b"Version: 2", b"Version: 3"))

    assert known_index(hashlib.sha256(TEXT).hexdigest(), store, "Packages") is None
    assert not path.exists()


@pytest.mark.parametrize("damage", [b"", b"x", b"(\x05\x00\x00\x00"])
def test_a_damaged_table_is_not_believed(damage: bytes, store: Store) -> None:
    parse(TEXT, store)
    (record,) = store.records("deb-index")
    store.set_record("deb-index", record.key, damage)

    assert known_index(hashlib.sha256(TEXT).hexdigest(), store, "Packages") is None


def test_an_empty_index_has_nothing(store: Store) -> None:
    parse(b"", store)
    index = known_index(hashlib.sha256(b"").hexdigest(), store, "Packages")

    assert index is not None
    assert not index.names


def test_a_stanza_may_begin_with_another_field(store: Store) -> None:
    index = parse(b"Version: 1\nPackage: a\nArchitecture: all\n", store)

    assert [stanza["Package"] for stanza in index.stanzas("a")] == ["a"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html>\n", "a stanza without a package: b'<html>'"),
        (b"Version: 1\n", "a stanza without a package"),
        (b"Package: " + b"x" * limits.STANZA_BYTES, "a stanza of"),
    ],
)
def test_what_is_no_index_says_so(data: bytes, message: str, store: Store) -> None:
    with pytest.raises(BadIndex, match=message):
        parse(data, store)


def test_a_package_without_a_version_is_an_error(store: Store) -> None:
    index = parse(b"Package: a\nArchitecture: all\n", store)

    with pytest.raises(BadIndex, match="a has no version"):
        list(index.stanzas("a"))


def test_a_text_that_the_archive_does_not_list_is_refused(store: Store) -> None:
    with pytest.raises(BadIndex, match="does not hold what the Release file lists"):
        parse(TEXT, store, expected="0" * 64)


def test_how_far_an_index_is_read_is_told_until_it_is_parsed(store: Store) -> None:
    path = Path(store.root) / "tmp" / "index"
    path.write_bytes(TEXT)
    told: list[Event] = []
    what = "http://a.example.org/dists/stable/main/binary-amd64/Packages"

    parsed_index(str(path), hashlib.sha256(TEXT).hexdigest(), "", store, what, told.append)

    found = [one for one in told if isinstance(one, BlobProgress)]
    assert [(one.verb, one.name) for one in found] == [("read", "stable/main")] * 2
    assert [one.total - one.done for one in found] == [1, 0]


def test_a_file_that_is_cut_short_is_refused(store: Store) -> None:
    path = Path(store.root) / "tmp" / "index"
    path.write_bytes(compressed(TEXT, "xz")[:-10])

    with pytest.raises(BadIndex, match="xz data that ends too early"):
        parsed_index(str(path), "0" * 64, "", store, "Packages")


def test_a_bomb_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PACKAGES_BYTES", 1 << 20)

    with pytest.raises(BadIndex, match="becomes more than 1048576 bytes") as caught:
        parse(b"\n" * (2 << 20), store, "")
    assert "honest" in (caught.value.hint or "")
    with pytest.raises(BadIndex, match="more than 1000 times its size"):
        parse(b"\n" * (2 << 20), store, "xz")
