"""What dpkg-deb takes out of packages that cannot be run here: foreign, and as Ubuntu has them."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.archive import File, SmallArchive, made
from tests.parts.commands import command
from tests.parts.flat_archive import flat_archive
from tests.parts.trees import Tree, differences, tree_of_layout, tree_of_tar

MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
MERGED |= {"lib32": "usr/lib32", "libx32": "usr/libx32"}
OWN = "var/lib/dpkg/status.d"
ABOVE = {"var", "var/lib", "var/lib/dpkg", OWN}


def taken_out(debs: Iterable[Path], folder: Path) -> Tree:
    """The files of *debs*, below the directories that `/bin` and its like lead to."""
    dpkg_deb = command("sh", environ={"PATH": "/usr/bin:/bin"})
    tree: Tree = {}
    for deb in debs:
        tar = folder / "data.tar"
        dpkg_deb.run("-c", 'dpkg-deb --fsys-tarfile "$0" > "$1"', deb, tar)
        for path, node in tree_of_tar(tar).items():
            first, slash, rest = path.partition("/")
            tree[f"{MERGED.get(first, first)}{slash}{rest}"] = node
    return tree


def of_packages(tree: Tree) -> Tree:
    """*tree* without what is of no package: links of merged /usr, and what scanners read."""
    return {
        path: node
        for path, node in tree.items()
        if not path.startswith(f"{OWN}/") and path not in {*ABOVE, *MERGED, *MERGED.values()}
    }


@pytest.mark.archive
def test_packages_of_another_architecture_are_unpacked_as_dpkg_deb_does(
    artificer: Cli, tmp_path: Path
) -> None:
    archive = flat_archive("nginx", "libc-bin", architecture="arm64", essential=False)
    theirs = taken_out(sorted(archive.folder.glob("*.deb")), tmp_path)
    layout = tmp_path / "layout"
    words = ("--platform", "linux/arm64", "--deb-level", "unpack", "--archive", archive.line)

    artificer("-b", "scratch", *words, "--apt", "nginx", "libc-bin", "-t", f"oci:{layout}:it")

    ours = tree_of_layout(layout, "it")
    assert len(theirs) > 900
    assert differences(of_packages(theirs), of_packages(ours)) == {}
    names = {path.rpartition("/")[2] for path in ours if path.startswith(f"{OWN}/")}
    assert {one.name for one in archive.packages} <= names


def test_an_archive_like_ubuntus_is_read(artificer: Cli, tmp_path: Path) -> None:
    small = SmallArchive(tmp_path / "archive")
    app = made(
        "app",
        "2:1.0-0ubuntu1",
        "amd64",
        files={
            "usr/bin/app": File(b"\x7fELF" * 5000, 0o4755),
            "lib/systemd/system/app.service": "[Unit]\n",
            "usr/share/app/link": File(link="../../bin/app"),
            "var/spool/app/": File(owner=(0, 8), mode=0o2770),
        },
        Depends="libapp1 (>= 0.5)",
    )
    library = made("libapp1", "0.9~beta2", "amd64", files={"usr/lib/libapp.so.1": "1"})
    small.add(library, compression="zst", Phased_Update_Percentage="10")
    small.add(app, component="universe", compression="zst")
    # Where the archive was in June, it had an older one.
    june = SmallArchive(tmp_path / "archive/20260601T000000Z", small.key)
    june.add(library, compression="zst")
    june.add(app._replace(version="2:0.9-0ubuntu3"), component="universe", compression="zst")
    june.publish("noble", codename="noble", compressions=("zst", "xz"))
    with small.serve() as place:
        place_of = f"{place.uri}/@SNAPSHOTID@"
        small.publish("noble", codename="noble", compressions=("zst", "xz"), Snapshots=place_of)
        line = small.line("noble", "main", "universe", uri=place.uri).removeprefix("deb ")
        layout = tmp_path / "layout"
        words = ("-b", "scratch", "--deb-level", "unpack", "--archive", line, "--apt", "app")

        artificer(*words, "-t", f"oci:{layout}:now")
        artificer(*words, "--snapshot", "20260601T000000Z", "-t", f"oci:{layout}:june")

    theirs = taken_out(sorted(small.root.glob("pool/*/*/*/*.deb")), tmp_path)
    assert differences(of_packages(theirs), of_packages(tree_of_layout(layout, "now"))) == {}
    told = artificer("diff", f"oci:{layout}:june", f"oci:{layout}:now", "--packages", code=1)
    assert "2:0.9-0ubuntu3" in told.stdout
    assert "2:1.0-0ubuntu1" in told.stdout
