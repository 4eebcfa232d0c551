from artificer.layers.entry import DIRECTORY, FILE, Entry
from artificer.layers.whiteout import whiteout
from artificer.sandbox.layer import entries_of
from artificer.sandbox.rung import Found


def folder(path: str) -> Found:
    return Found(Entry(path, DIRECTORY, 0o700, 0, 0, 0, 0, "", None), same=True)


def test_the_directories_above_a_change_are_in_the_layer_as_they_are() -> None:
    changed = Found(Entry("root/.cache/x", FILE, 0o644, 0, 0, 0, 0, "", b""))
    gone = Found(whiteout("var/lib/y", 0))
    folders = [folder(path) for path in ("root", "root/.cache", "var", "var/lib", "etc")]

    entries = entries_of([changed, gone, *folders])

    assert [entry.path for entry in entries] == [
        "var/lib/.wh.y", "root", "root/.cache", "root/.cache/x", "var", "var/lib",
    ]  # fmt: skip
    assert {entry.mode for entry in entries if entry.kind == DIRECTORY} == {0o700}
