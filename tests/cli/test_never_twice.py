"""What was made is not made again, and what is there is not sent again, on any machine."""

import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.cli.outside import Cli, Done, Seen
from tests.parts.images import BaseImage
from tests.parts.registries import LockedRegistry, Registry

MOST_REQUESTS = 12
WRITES = ("PUT", "POST", "PATCH")


class Asked:
    """What a registry was asked between two points in time."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    @property
    def writes(self) -> list[str]:
        return [line for line in self.requests if line.startswith(WRITES)]

    @property
    def blobs(self) -> list[str]:
        """Uploads of blobs, mounts among them."""
        return [line for line in self.writes if "/blobs/" in line]

    @property
    def sent(self) -> list[str]:
        """Uploads of blobs that had a body."""
        return [line for line in self.blobs if not line.startswith("POST")]


During = Callable[[], AbstractContextManager[Asked]]


@pytest.fixture
def asked(open_registry: Registry) -> During:
    @contextmanager
    def during() -> Iterator[Asked]:
        asked, before = Asked(), len(open_registry.requests())
        yield asked
        asked.requests.extend(open_registry.requests()[before:])

    return during


@pytest.fixture
def app(work: Path, alpine: BaseImage) -> tuple[str, ...]:
    """The words of a build on the busybox base, but for its target; its files are quiet."""
    (work / "conf").mkdir()
    for number in range(20):
        (work / f"conf/{number}.ini").write_text(f"number={number}\n")
    (work / "server").write_bytes(b"\x7fELF" + bytes(200_000))
    (work / "server").chmod(0o755)
    time.sleep(0.03)
    return ("-b", alpine.reference, "-f", "server", "conf", "-e", "A=1", "-c", "/server")


def kinds(done: Done) -> list[str]:
    return [event["event"] for event in done.events]


def built(done: Done) -> list[str]:
    """The lines about layers that were made."""
    return [line for line in done.lines if re.match("layer .* became ", line)]


def changed(path: Path, text: str) -> None:
    path.write_text(text)
    time.sleep(0.03)


# The same machine.


def test_an_unchanged_build_sends_no_blob_and_asks_little(
    cli: Cli, app: tuple[str, ...], fresh_repository: str, asked: During
) -> None:
    first = cli(*app, "-t", f"{fresh_repository}:1")

    with asked() as again:
        second = cli.process(*app, "-t", f"{fresh_repository}:1")

    assert second.stdout == first.stdout
    assert again.writes == []
    assert len(again.requests) <= MOST_REQUESTS
    assert not built(second)
    assert any("its files are unchanged" in line for line in second.lines)
    assert any("already: nothing to send" in line for line in second.lines)


def test_another_tag_costs_a_manifest(
    cli: Cli, app: tuple[str, ...], fresh_repository: str, asked: During
) -> None:
    cli(*app, "-t", f"{fresh_repository}:1")

    with asked() as again:
        cli(*app, "-t", f"{fresh_repository}:2")

    assert again.blobs == []
    assert [line.split()[1].rpartition("/")[2] for line in again.writes] == ["2"]
    assert len(again.requests) <= MOST_REQUESTS


def test_another_setting_sends_a_config_and_no_layer(
    cli: Cli, app: tuple[str, ...], fresh_repository: str, asked: During
) -> None:
    cli(*app, "-t", f"{fresh_repository}:1")

    with asked() as again:
        done = cli(*app, "-e", "B=2", "-t", f"{fresh_repository}:1")

    assert len(again.sent) == 1
    assert not built(done)


def test_a_touched_file_sends_nothing_and_is_read_again(
    cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str, asked: During
) -> None:
    first = cli(*app, "-t", f"{fresh_repository}:1")
    (work / "server").touch()
    time.sleep(0.03)

    with asked() as again:
        second = cli(*app, "-t", f"{fresh_repository}:1")

    assert second.stdout == first.stdout
    assert again.writes == []
    assert not built(second)
    assert any("the store has its content" in line for line in second.lines)


def test_a_change_in_the_same_moment_and_of_the_same_size_is_noticed(
    cli: Cli, app: tuple[str, ...], work: Path
) -> None:
    digests = set()
    for number in range(6):
        (work / "conf/0.ini").write_text(f"number={number}\n")
        digests.add(cli(*app, "-t", "store:x").stdout)

    assert len(digests) == 6


def test_no_cache_reads_every_file_again(
    cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str
) -> None:
    first = cli(*app, "-t", f"{fresh_repository}:1")
    status = (work / "server").stat()
    (work / "server").write_bytes(b"\x7fELF" + b"x" * 200_000)
    os.utime(work / "server", ns=(status.st_atime_ns, status.st_mtime_ns))

    afresh = cli(*app, "--no-cache", "-t", f"{fresh_repository}:1")

    assert afresh.stdout != first.stdout


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_the_digest_does_not_depend_on_what_is_known(
    kind: str, cli: Cli, app: tuple[str, ...], fresh_repository: str
) -> None:
    words = (*app, "--compression", kind, "-t", f"{fresh_repository}:1")

    digests = {cli(*words).stdout, cli(*words).stdout, cli(*words, "--no-cache").stdout}
    digests.add(cli.machine("other")(*words).stdout)
    digests.add(cli.machine("third")(*words[:-1], f"{fresh_repository}:other").stdout)

    assert len(digests) == 1


VARIATIONS = (
    "-f d",
    "-f d/.",
    "-f d:/x",
    "-f d:/x/",
    "-f d:/tmp",
    "-f named",
    "-f d/*.js",
    "-f d --exclude sub",
    "-f d --exclude sub --exclude *.js",
    "-f d --ignore-file ignored",
    "-f d --chmod 600",
    "-f d --chmod d/b=600",
    "-f d --chown 5",
    "-f d --chown 5:6",
    "-f d --mtime 5",
    "-f d --follow-symlinks",
    "-f d --symlink /x=y",
    "-f d --symlink /x=z",
    "-f d --empty-dir /e",
    "-f d --empty-file /e",
    "-f d --delete /etc/passwd",
    "-f d --compression zstd",
    "-f d --compression-level 9",
    "-f d --compression none",
    "--tar t.tar",
    "--tar t.tar:/x",
    "--tar t.tar --mtime 5",
    "--copy-from oci:{base}:/etc",
    "--copy-from oci:{base}:/etc:/x",
)


def test_a_command_line_gives_what_it_gives_on_a_fresh_machine_whatever_was_built_before(
    cli: Cli, work: Path, alpine: BaseImage
) -> None:
    (work / "d/sub").mkdir(parents=True)
    for name in ("d/a.js", "d/b", "d/sub/c"):
        (work / name).write_text(name)
    (work / "d/l").symlink_to("b")
    (work / "named").symlink_to("d")
    (work / "ignored").write_text("b\n")
    with tarfile.open(work / "t.tar", "w") as tar:
        tar.add(work / "d", "d")
    time.sleep(0.03)
    base = f"{alpine.layout}:{alpine.tag}"

    seen: dict[str, str] = {}
    for number, words in enumerate(VARIATIONS):
        line = ("-b", f"oci:{base}", *words.format(base=base).split(), "-t", "store:x")
        fresh = cli.machine(f"fresh-{number}")(*line).stdout
        assert cli(*line).stdout == fresh, words
        assert seen.setdefault(fresh, words) == words
    for words in VARIATIONS:
        line = ("-b", f"oci:{base}", *words.format(base=base).split(), "-t", "store:x")
        assert seen[cli(*line).stdout] == words


def _another_link(work: Path) -> None:
    (work / "link").unlink()
    (work / "link").symlink_to("two")


def _another_file_for_a_pattern(work: Path) -> None:
    (work / "one/new.js").touch()


def _another_mode(work: Path) -> None:
    (work / "one/a.js").chmod(0o755)


def _another_byte_at_the_old_time(work: Path) -> None:
    status = (work / "one/a.js").stat()
    (work / "one/a.js").write_text("A")
    os.utime(work / "one/a.js", ns=(status.st_atime_ns, status.st_mtime_ns))


def _another_archive(work: Path) -> None:
    with tarfile.open(work / "t.tar", "w") as tar:
        tar.add(work / "two", "two")


def _another_pattern(work: Path) -> None:
    (work / "ignored").write_text("a.js")


def _a_directory_in_place_of_a_file(work: Path) -> None:
    (work / "one/a.js").unlink()
    (work / "one/a.js").mkdir()


@pytest.mark.parametrize(
    "change",
    [
        *(_another_link, _another_file_for_a_pattern, _another_mode, _another_archive),
        *(_another_byte_at_the_old_time, _another_pattern, _a_directory_in_place_of_a_file),
    ],
)
def test_whatever_changes_is_noticed(change: Callable[[Path], None], cli: Cli, work: Path) -> None:
    for name in ("one/a.js", "two/b.js"):
        (work / name).parent.mkdir()
        (work / name).write_text("a")
    (work / "link").symlink_to("one")
    (work / "ignored").write_text("# nothing\n")
    with tarfile.open(work / "t.tar", "w") as tar:
        tar.add(work / "one", "from-tar")
    time.sleep(0.03)
    words = ("-f", "link", "one/*.js:/js/", "one:/one", "--tar", "t.tar", "--ignore-file")
    line = ("-b", "scratch", *words, "ignored", "-t", "store:x")
    before = cli(*line).stdout
    assert cli(*line).stdout == before
    change(work)

    after = cli(*line)

    assert after.stdout != before
    assert after.stdout == cli.machine("fresh")(*line).stdout


def test_builds_at_the_same_time_share_a_store(
    cli: Cli, app: tuple[str, ...], fresh_repository: str
) -> None:
    targets = [f"{fresh_repository}:{number}" for number in (1, 1, 2)]
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda target: cli.process(*app, "-t", target), targets))

    assert len({one.stdout for one in done}) == 1
    cli("cache", "verify")


# Another machine.


@pytest.mark.parametrize("kind", ["gzip", "zstd", "none"])
def test_a_fresh_machine_compresses_and_sends_nothing_that_the_registry_has(
    kind: str, cli: Cli, app: tuple[str, ...], fresh_repository: str, asked: During
) -> None:
    words = (*app, "--compression", kind, "-t", f"{fresh_repository}:1")
    first = cli(*words)

    with asked() as again:
        second = cli.machine("fresh")(*words)

    assert second.stdout == first.stdout
    assert again.writes == []
    assert not built(second)
    assert any(f"{fresh_repository}:1 has it" in line for line in second.lines)


def test_a_fresh_machine_sends_only_the_layer_that_changed(
    cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str, asked: During
) -> None:
    tree = work / "big"
    for number in range(150):
        path = tree / f"d{number % 30}/f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(1_000_000)
    words = ("-b", "scratch", "-f", "big", "-t", f"{fresh_repository}:1")
    cli(*words)
    with (tree / "d7/f7").open("r+b") as file:
        file.write(b"changed")

    with asked() as again:
        done = cli.machine("fresh")(*words)

    assert len(built(done)) == 1
    assert len(again.sent) == 2  # The layer, and the config.


def test_machines_share_layers_through_a_cache_repository(
    cli: Cli, app: tuple[str, ...], fresh_repository: str, seen: Seen, asked: During
) -> None:
    cache = ("--cache-repo", f"{fresh_repository}/cache")
    one = cli(*app, *cache, "-t", f"{fresh_repository}/one:1")

    with asked() as again:
        other = cli.machine("other")(*app, *cache, "-t", f"{fresh_repository}/other:1")

    assert built(one)
    assert not built(other)
    assert any(f"the cache {fresh_repository}/cache has it" in line for line in other.lines)
    assert any(f"mounted from {fresh_repository}/cache" in line for line in other.lines)
    assert len(again.sent) == 1  # The config.
    assert one.stdout.partition("@")[2] == other.stdout.partition("@")[2]
    seen.copied(f"docker://{fresh_repository}/other:1")
    tags = json.loads(seen.skopeo.output("list-tags", f"docker://{fresh_repository}/cache"))
    assert all(re.fullmatch("(used-)?layer-[0-9a-f]{64}", tag) for tag in tags["Tags"])


def test_the_cache_holds_an_artifact_that_explains_its_key(
    cli: Cli, app: tuple[str, ...], fresh_repository: str, seen: Seen
) -> None:
    cli(*app, "--cache-repo", f"{fresh_repository}/cache", "-t", "store:x")

    listed = json.loads(seen.skopeo.output("list-tags", f"docker://{fresh_repository}/cache"))
    (tag,) = [tag for tag in listed["Tags"] if not tag.startswith("used-")]
    manifest = seen.raw(f"docker://{fresh_repository}/cache:{tag}")
    assert manifest["artifactType"] == "application/vnd.artificer.cache.v1+json"
    assert len(manifest["layers"]) == 1
    assert "gzip-libdeflate" in manifest["layers"][0]["annotations"]["dev.artificer.layer.key"]


def test_a_readonly_cache_is_asked_and_never_written(
    cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str, asked: During
) -> None:
    cache = ("--cache-repo", f"{fresh_repository}/cache")
    cli(*app, *cache, "-t", "store:x")
    other = cli.machine("other")

    known = other(*app, *cache, "--cache-readonly", "-t", "store:x")
    changed(work / "conf/0.ini", "changed")
    with asked() as again:
        new = other(*app, *cache, "--cache-readonly", "-t", "store:x")

    assert not built(known)
    assert built(new)
    assert again.writes == []


@pytest.mark.parametrize("readonly", [True, False])
def test_a_cache_that_fails_is_a_warning(
    readonly: bool,
    cli: Cli,
    app: tuple[str, ...],
    htpasswd_registry: LockedRegistry,
) -> None:
    trust = ("--cacert", str(htpasswd_registry.ca_file))
    words = ("--cache-readonly",) if readonly else ()
    for name, host in (("locked", htpasswd_registry.host), ("gone", "127.0.0.1:1")):
        cache = f"{host}/cache"
        done = cli.machine(name)(*app, *trust, *words, "--cache-repo", cache, "-t", "store:x")
        warnings = [line for line in done.lines if line.startswith("warning: the cache")]
        assert len(warnings) == (1 if readonly else 2), done.stderr
        assert cache in warnings[0]
        assert done.stdout


def test_a_cache_with_a_tag_or_without_sense_is_misuse(
    cli: Cli, app: tuple[str, ...], fresh_repository: str
) -> None:
    for cache in (f"{fresh_repository}:tag", "UPPER"):
        done = cli(*app, "--cache-repo", cache, "-t", "store:x", code=2)
        assert cache in done.error
    alone = cli(*app, "--cache-readonly", "-t", "store:x", code=2)
    assert alone.error == "--cache-readonly without a --cache-repo"
    words = ("--offline", "--cache-repo", fresh_repository)
    assert "--offline" in cli(*app, *words, "-t", "store:x", code=2).error


# Why, and how much.


def test_a_layer_that_is_built_again_says_which_files_changed_and_how(
    cli: Cli, app: tuple[str, ...], work: Path
) -> None:
    cli(*app, "-t", "store:x")
    changed(work / "conf/3.ini", "something longer than before\n")
    (work / "conf/5.ini").unlink()
    (work / "conf/new.ini").touch()
    (work / "conf/7.ini").chmod(0o755)
    time.sleep(0.03)

    done = cli(*app, "--explain", "-t", "store:x")

    start = next(n for n, line in enumerate(done.lines) if line.endswith("is built again:"))
    told = {
        line.strip().partition(": ")[0]: line.strip().partition(": ")[2]
        for line in done.lines[start + 1 :]
        if line.startswith("  ")
    }
    assert told.keys() == {"conf/3.ini", "conf/5.ini", "conf/7.ini", "conf/new.ini"}
    assert "size" in told["conf/3.ini"]
    assert "mode" in told["conf/7.ini"]


def test_explain_says_why_a_layer_is_reused(cli: Cli, app: tuple[str, ...]) -> None:
    cli(*app, "-t", "store:x")

    done = cli(*app, "--explain", "-t", "store:x")

    assert any(line.endswith("its files are unchanged") for line in done.lines)


@pytest.mark.parametrize("limit", ["1", "1kB", "0.1MiB", "300000"])
def test_more_than_may_be_uploaded_is_refused_before_the_first_byte(
    limit: str, cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str, asked: During
) -> None:
    (work / "server").write_bytes(os.urandom(400_000))

    with asked() as during:
        done = cli(*app, "--max-upload", limit, "-t", f"{fresh_repository}:1", code=1)

    assert during.writes == []
    assert f"more than the {limit} of --max-upload" in done.error
    assert "nothing was sent" in done.hint
    assert done.stdout == ""


def test_what_is_there_counts_for_nothing_against_the_limit(
    cli: Cli, app: tuple[str, ...], fresh_repository: str
) -> None:
    cli(*app, "--max-upload", "50MB", "-t", f"{fresh_repository}:1")

    cli(*app, "--max-upload", "1", "-t", f"{fresh_repository}:1")
    cli(*app, "--max-upload", "1", "-t", f"{fresh_repository}:2")


def test_a_plan_says_what_a_build_then_does(
    cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str, asked: During
) -> None:
    words = (*app, "-t", f"{fresh_repository}:1")
    with asked() as planning:
        before = cli("plan", *words).stdout
        document = json.loads(cli("plan", *words, "--json").stdout)
    cli(*words)
    after = cli("plan", *words).stdout
    changed(work / "conf/0.ini", "changed")
    again = json.loads(cli("plan", *words, "--json").stdout)

    assert planning.writes == []
    assert "mount from" in before
    assert "build and upload about" in before
    assert document[0]["up_to_date"] is False
    assert [layer["made"] for layer in document[0]["layers"]] == [False, True]
    assert "it is there already: nothing would be sent" in after
    assert [layer["action"] for layer in again[0]["layers"]] == ["exists", "build and upload"]


def test_a_plan_obeys_the_limit(
    cli: Cli, app: tuple[str, ...], work: Path, fresh_repository: str
) -> None:
    (work / "server").write_bytes(os.urandom(400_000))

    done = cli("plan", *app, "--max-upload", "1kB", "-t", fresh_repository, code=1)

    assert "--max-upload" in done.error
    assert "build and upload" in done.stdout


@pytest.mark.parametrize("limit", ["much", "-1", "1XB", ""])
def test_a_limit_that_is_no_size_is_misuse(limit: str, cli: Cli, app: tuple[str, ...]) -> None:
    done = cli(*app, f"--max-upload={limit}", "-t", "store:x", code=2)

    assert "--max-upload: not a size" in done.error
    assert "50MB" in done.hint


def test_two_builds_verify_as_the_same(cli: Cli, app: tuple[str, ...]) -> None:
    done = cli.process("verify", *app)

    assert re.fullmatch("sha256:[0-9a-f]{64}\n", done.stdout)
    assert cli(*app, "-t", "store:x").stdout.strip().endswith(done.stdout.strip())
    assert not [path for path in (cli.store / "tmp").iterdir() if path.name.startswith("verify")]


def test_the_store_is_kept_within_its_limit(cli: Cli, app: tuple[str, ...], work: Path) -> None:
    (work / "server").write_bytes(os.urandom(400_000))
    cli(*app, "-t", "store:x")
    for path in (cli.store / "blobs/sha256").iterdir():
        os.utime(path, (time.time() - 9000, time.time() - 9000))
    cli("rm", "store:x")
    changed(work / "conf/0.ini", "changed")

    done = cli(*app, "--store-limit", "100kB", "-t", "store:y")
    unlimited = cli(*app, "--store-limit", "none", "-t", "store:y")

    assert any("the store is kept within its limit" in line for line in done.lines)
    assert not any("limit" in line for line in unlimited.lines)
