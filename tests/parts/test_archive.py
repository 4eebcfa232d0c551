"""Generated archives are ones that Debian's own programs accept."""

import subprocess
from pathlib import Path

from tests.parts.archive import File, SmallArchive, deb_bytes, made
from tests.parts.commands import SEARCH, found


def test_dpkg_reads_a_generated_package(tmp_path: Path) -> None:
    path = tmp_path / "a.deb"
    files: dict[str, File | str] = {
        "usr/bin/a": "#!/bin/sh\n",
        "etc/a.conf": "x\n",
        "usr/bin/b": File(link="a"),
    }
    package = made(
        "a", "1:2-3", "amd64", files=files, conffiles=["/etc/a.conf"], Pre_Depends="b (>= 1)"
    )
    path.write_bytes(deb_bytes(package, "zst"))
    words = [found("dpkg-deb"), "-f", str(path), "Pre-Depends"]
    field = subprocess.run(words, check=True, capture_output=True, text=True)
    words = [found("dpkg-deb"), "-c", str(path)]
    listed = subprocess.run(words, check=True, capture_output=True, text=True)

    assert field.stdout == "b (>= 1)\n"
    assert package.file_name == "a_2-3_amd64.deb"
    assert [line.split()[5] for line in listed.stdout.splitlines()] == [
        "./", "./usr/", "./usr/bin/", "./usr/bin/a", "./etc/", "./etc/a.conf", "./usr/bin/b",
    ]  # fmt: skip


def test_apt_takes_a_generated_archive(tmp_path: Path) -> None:
    archive = SmallArchive(tmp_path / "archive")
    archive.add(made("a", Depends="b | c"), made("b", "2", "amd64")).publish()
    state = tmp_path / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "etc/apt.conf.d"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(archive.line() + "\n")
    (state / "apt.conf").write_text(
        f'Dir::Etc "{state}/etc"; Dir::Etc::SourceList "{state}/sources.list";'
        f'Dir::State::Lists "{state}/lists"; Dir::State::Status "{state}/status";'
        f'Dir::Cache "{state}/cache"; APT::Sandbox::User "root"; APT::Architecture "amd64";'
    )
    environ = {"APT_CONFIG": f"{state}/apt.conf", "PATH": SEARCH}

    def apt(*words: str) -> str:
        done = subprocess.run(
            [found("apt-get"), "-q", *words],
            check=True,
            capture_output=True,
            text=True,
            env=environ,
        )
        return done.stdout

    apt("update")
    text = apt("-s", "install", "a")

    assert "Inst b (2 Test:stable [amd64])" in text
    assert "Inst a (1 Test:stable [all])" in text
