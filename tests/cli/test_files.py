"""What lands in a layer, and how, as skopeo, umoci and podman see it."""

from pathlib import Path

from tests.cli.outside import Cli, Seen


def test_a_named_link_is_read_where_it_leads(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "real").write_text("bytes")
    (work / "named").symlink_to("real")

    cli("-b", "scratch", "-f", "named", "-t", f"oci:{layout}:it")

    root = seen.unpacked(layout)
    assert not (root / "named").is_symlink()
    assert (root / "named").read_text() == "bytes"


def test_followed_links_are_read_where_they_lead(
    cli: Cli, work: Path, layout: Path, seen: Seen
) -> None:
    (work / "tree").mkdir()
    (work / "elsewhere").write_text("bytes")
    (work / "tree/link").symlink_to("../elsewhere")

    words = ("-f", "tree", "--follow-symlinks")
    cli("-b", "scratch", *words, "-t", f"oci:{layout}:it")

    assert (seen.unpacked(layout) / "tree/link").read_text() == "bytes"
