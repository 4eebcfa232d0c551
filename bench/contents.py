"""What the workloads' files hold: text like source code, noise, and this machine's programs."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024

# Go programs first: the peers' recorded baseline was measured with one.
PROGRAMS = "podman docker-registry containerd buildah skopeo dockerd docker ctr umoci runc node"
FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib")

SYLLABLES = (
    "ab ac ad al an ap ar as at ba bi bo ca ce ch co cu da de di do ed el em en er es ex fa fi "
    "fu ga ge gi go ha he hi ho id il im in io is it ja ke la le li lo ma me mi mo na ne ni no "
    "ob of on op or ou pa pe pi po qu ra re ri ro sa se sh si so st su ta te th ti to tr un ur "
    "us ut va ve vi wa we wi xi ya yo"
)
FORMS = (
    "  const {a} = {b}.{c}({d}, {{ {e}: '{f}' }});",
    "  if ({a}.{b} !== undefined && {c}({a}, {d})) {{",
    "    return {a}.{b}({c} => {c}.{d} === {n});",
    "  }} else if (typeof {a} === 'string') {{",
    "    throw new TypeError(`{a} {b} must be {c}, not ${{{d}}}`);",
    "import {{ {a}, {b} }} from './{c}-{d}.js';",
    "export function {a}({b}, {c}, {d} = {n}) {{",
    "  // The {a} {b} of each {c} is {d} when {e} has {f}.",
    " * @param {{{a}}} {b} the {c} which {d} the {e}",
    "  this.{a} = this.{b} || new {c}(this.{d});",
    '  "{a}-{b}": "^{n}.{m}.{k}",',
    "    {a}: {b}.{c},",
    "  for (const {a} of Object.keys({b}.{c})) {{",
    "  {a}[{b}] = {c}.{d}.slice({n}, {m});",
    "  expect({a}.{b}({c})).toEqual({d}.{e});",
    '    "sha": "{h}",',
    "}}",
    "  }}",
    "",
)

# So many new blocks come with each hundred that the last RECENT ones lend again: by trial, until
# libdeflate and zstd make of it what they make of a real node_modules (0.263 and 0.251).
FRESH = 85
RECENT = 60


class Texts:
    """An endless supply of lines that compress as node_modules do, the same for a seed."""

    def __init__(self, seed: str, lines: int = 40_000) -> None:
        self.random = random.Random(seed)
        self.syllables = SYLLABLES.split()
        self.words = [self._word() for _ in range(4_000)]
        weights = [1 / (rank + 12) for rank in range(len(self.words))]
        self.supply = iter(self.random.choices(self.words, weights, k=lines * 6))
        self.blocks = [self._block() for _ in range(lines // 6)]
        self.recent = self.blocks[:RECENT]

    def _word(self) -> str:
        parts = self.random.choices(self.syllables, k=self.random.randint(2, 4))
        return parts[0] + "".join(parts[1:-1]) + parts[-1].title() * self.random.randint(0, 1)

    def _line(self) -> str:
        words = {name: next(self.supply) for name in "abcdef"}
        numbers = {name: self.random.randint(0, 99) for name in "nmk"}
        digest = f"{self.random.getrandbits(160):040x}"
        return self.random.choice(FORMS).format(h=digest, **words, **numbers) + "\n"

    def _block(self) -> bytes:
        return "".join(self._line() for _ in range(self.random.randint(2, 6))).encode()

    def names(self) -> Iterator[str]:
        """Words for paths, each with a number, so that no two are equal."""
        number = 0
        while True:
            number += 1
            yield f"{self.random.choice(self.words).lower()}-{number}"

    def sizes(self, count: int, total: int) -> list[int]:
        """*count* sizes that sum to about *total*: many small ones, a few large ones."""
        raw = [self.random.lognormvariate(0, 1.3) for _ in range(count)]
        factor = total / sum(raw)
        return [max(16, int(size * factor)) for size in raw]

    def text(self, size: int) -> bytes:
        """Return *size* bytes of lines; a part of them was in the texts just before."""
        count = size // 100 + 1
        fresh = self.random.choices(self.blocks, k=count * FRESH // 100 + 1)
        self.recent = (fresh + self.recent)[:RECENT]
        blocks = fresh + self.random.choices(self.recent, k=count)
        self.random.shuffle(blocks)
        return b"".join(blocks)[:size].ljust(size)

    def noise(self, size: int) -> bytes:
        """Return *size* bytes that no encoder makes smaller."""
        return self.random.randbytes(size)


def programs(size: int, largest: int = 1024 * MIB) -> Iterator[tuple[str, bytes]]:
    """Real executables and libraries of this machine, until there are *size* bytes.

    No more than *largest* is taken of each. A machine with too few of them gives them again and
    again: no encoder looks back that far.
    """
    left = size
    while left > 0:
        before = left
        for path in _elves():
            with path.open("rb") as file:
                data = file.read(min(left, largest))
            left -= len(data)
            yield path.name, data
            if not left:
                return
        if left == before:
            raise FileNotFoundError(f"no executables in {', '.join(FOLDERS)}")


def _elves() -> Iterator[Path]:
    seen: set[int] = set()
    for path in (*_named(), *_largest()):
        inode = path.stat().st_ino
        if inode not in seen and _is_elf(path):
            seen.add(inode)
            yield path


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _named() -> Iterator[Path]:
    for name in PROGRAMS.split():
        for folder in FOLDERS:
            if os.access(path := Path(folder, name), os.R_OK) and path.is_file():
                yield path


def _largest() -> list[Path]:
    found = [
        (-entry.stat().st_size, entry.path)
        for folder in FOLDERS
        if os.path.isdir(folder)
        for entry in os.scandir(folder)
        if entry.is_file() and os.access(entry.path, os.R_OK)
    ]
    return [Path(path) for size, path in sorted(found) if size < -64 * 1024]
