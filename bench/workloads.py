"""The workloads: trees of files at the sizes of the peers' baseline, made once and kept."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.contents import MIB, Texts, programs

# Another number makes every machine's workloads anew.
GENERATION = 2
# With a fraction, as files have them: whole seconds look like a coarse clock's.
MTIME = 1_600_000_000_123_456_789
File = tuple[str, bytes]


class Workload(NamedTuple):
    """A folder whose *names* become the image's files; *edited* is the small file that changes.

    Where a *dockerfile* says what becomes of them, that file changes in any case.
    """

    name: str
    title: str
    folder: Path
    names: tuple[str, ...]
    edited: str
    files: int
    size: int
    dockerfile: str = ""


class Shape(NamedTuple):
    """How a workload is made."""

    title: str
    files: Callable[[], Iterator[File]]
    edited: str
    dockerfile: str = ""


def single_program(size: int = 53 * MIB) -> Iterator[File]:
    """One executable and twenty small files."""
    yield "server", b"".join(data for _, data in programs(size))
    texts = Texts("W1")
    for number in range(20):
        yield f"conf/{number:02}.conf", texts.text(300 + 150 * number)


def small_files(
    count: int = 50_000, size: int = 244_000_000, root: str = "app/node_modules"
) -> Iterator[File]:
    """Many small files of text in packages of a dozen, with one folder inside each second one."""
    texts = Texts(f"{root} {count}")
    names = texts.names()
    package, folder = next(names), "lib"
    for number, length in enumerate(texts.sizes(count, size)):
        if number % 25 == 0:
            package, folder = next(names), next(names)
        place = package if number % 25 < 12 else f"{package}/{folder}"
        yield f"{root}/{place}/{number % 25:02}.js", texts.text(length)


def mixed(
    size: int = 1_070_000_000, noise: int = 250 * MIB, count: int = 15_447
) -> Iterator[File]:
    """Text, programs and libraries, and noise: a model in parts, and pictures."""
    texts = Texts("W3")
    parts, pictures = 20, 200
    for number in range(parts):
        yield f"app/model/part-{number:02}.bin", texts.noise(noise * 4 // 5 // parts)
    for number in range(pictures):
        yield f"app/static/{number:03}.png", texts.noise(noise // 5 // pictures)
    binary = (size - noise) * 9 // 20
    libraries = 0
    for libraries, (name, data) in enumerate(programs(binary, 4 * MIB), 1):
        yield f"app/lib/{libraries:04}/{name}", data
    rest = count - parts - pictures - libraries
    yield from small_files(rest, size - noise - binary, "app/src")


SHAPES = {
    "W1": Shape("a 53 MiB executable + 20 small files", single_program, "conf/07.conf"),
    "W2": Shape("50,000 small files, 244 MB", small_files, ""),
    "W3": Shape("15,447 files, 1.07 GB, a quarter incompressible", mixed, ""),
}


def cache_folder(environ: dict[str, str]) -> Path:
    """Where workloads and the base are kept between runs."""
    base = environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "artificer-bench"


def made(name: str, shape: Shape, cache: Path) -> Workload:
    """Return the workload; make it unless a whole one of this generation is in *cache*."""
    folder, stamp = cache / name, cache / f"{name}.json"
    told = json.loads(stamp.read_text()) if stamp.exists() else {}
    if told.get("generation") != GENERATION or told.get("title") != shape.title:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        told = {"generation": GENERATION, "title": shape.title, **_written(shape.files(), folder)}
        stamp.write_text(json.dumps(told))
    names = tuple(sorted(path.name for path in folder.iterdir()))
    edited = shape.edited or told["middle"]
    size = told["files"], told["bytes"]
    return Workload(name, shape.title, folder, names, edited, *size, shape.dockerfile)


def _written(files: Iterator[File], folder: Path) -> dict[str, int | str]:
    count = size = 0
    small = [""]
    made: set[str] = set()
    for path, data in files:
        target = folder / path
        if (parent := path.rpartition("/")[0]) not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(parent)
        target.write_bytes(data)
        if data[:4] == b"\x7fELF":
            target.chmod(0o755)
        os.utime(target, ns=(MTIME, MTIME))
        count, size = count + 1, size + len(data)
        if 500 < len(data) < 5000:
            small.append(path)
    return {"files": count, "bytes": size, "middle": small[len(small) // 2]}
