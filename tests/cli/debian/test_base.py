"""Packages on a real Debian base, out of the archives that it names itself."""

import json
import tarfile
from pathlib import Path

import pytest

from tests.cli.outside import Cli
from tests.parts.images import BaseImage

RULES = "@io_bazel_rules_docker//"


@pytest.mark.archive
def test_packages_are_installed_on_a_real_base_by_its_own_archives(
    cli: Cli, work: Path, debian_base: BaseImage
) -> None:
    host, _, name = debian_base.reference.partition("/")
    repository, _, tag = name.partition(":")
    (work / "WORKSPACE").write_text(
        f'load("{RULES}container:container.bzl", "container_pull")\n'
        f'container_pull(name = "base", registry = "{host}", repository = "{repository}",\n'
        f'    tag = "{tag}")\n'
    )
    (work / "BUILD").write_text(
        f'load("{RULES}docker/package_managers:download_pkgs.bzl", "download_pkgs")\n'
        f'load("{RULES}docker/package_managers:install_pkgs.bzl", "install_pkgs")\n'
        'download_pkgs(name = "pkgs", image_tar = "@base//image", packages = ["less"])\n'
        'install_pkgs(name = "all", image_tar = "@base//image", output_image_name = "all",\n'
        '    installables_tar = ":pkgs.tar")\n'
        'install_pkgs(name = "clean", image_tar = "@base//image", output_image_name = "clean",\n'
        '    installables_tar = ":pkgs.tar", installation_cleanup_commands = """\n'
        "rm -rf /usr/share/doc/less /etc/issue *\n"
        '[[ "$PWD" == /tmp ]] && less --version > /etc/cleaned""")\n'
        'install_pkgs(name = "wrong", image_tar = "@base//image", output_image_name = "wrong",\n'
        '    installables_tar = ":pkgs.tar", installation_cleanup_commands = "no-such-command")\n'
    )

    cli("build", "//:all.tar", "--insecure-registry", host)
    rules = f"docker-archive:{work}/artificer-bin/all.tar"
    cli("build", "//:clean.tar", "--insecure-registry", host)
    cleaned = f"docker-archive:{work}/artificer-bin/clean.tar"
    cli("export", cleaned, "-o", str(work / "root.tar"))
    with tarfile.open(work / "root.tar") as root:
        file = root.extractfile("etc/cleaned")
        assert file is not None
        assert file.read().startswith(b"less ")
        assert not {"usr/share/doc/less", "etc/issue"} & set(root.getnames())
    configs = [json.loads(cli("inspect", one, "--config").stdout) for one in (rules, cleaned)]
    first, second = (one["rootfs"]["diff_ids"] for one in configs)
    assert len(first) == len(second)
    failed = cli("build", "//:wrong", "--insecure-registry", host, code=1)
    assert "no-such-command: command not found" in failed.stderr
    line = ("-b", debian_base.reference, "--insecure-registry", host, "--apt", "less")
    cli("lock", *line, "-t", "store:line")
    cli(*line, "--locked", "-t", "store:line")

    done = cli(
        "diff", debian_base.reference, rules, "--packages", "--insecure-registry", host, code=1
    )
    assert [text.split(":")[0] for text in done.stdout.splitlines()] == ["+ less"]
    assert cli("diff", rules, "store:line", "--packages").stdout == ""
    status = json.loads(cli("packages", "list", "store:line", "--format", "json").stdout)
    assert {one["status"] for one in status["packages"]} == {"installed"}
    assert "artificer.lock is up to date" in cli("lock", *line, "-t", "store:line").stderr
