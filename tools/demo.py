"""A real image, built and pushed to a registry of its own; the second time, nothing is left to do.

`./dev demo` runs this. It needs no root, no Docker, and no network but this machine's own.
"""

import os
import platform
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[1]
PLACE = CHECKOUT / "build-cache" / "demo"
HELLO = b"Hello from an image that artificer built.\n"
INDENT = "   "


class Failed(Exception):
    """A step did not end well; what it said is on the terminal."""


class Ended(NamedTuple):
    """What a command line did: how long it took, and whether it had anything to send."""

    seconds: float
    idle: bool


class Demo:
    """The steps, one method each; everything that is made lies below *place*."""

    def __init__(self, place: Path) -> None:
        self.place = place
        home = place / "home"
        home.mkdir(parents=True, exist_ok=True)
        # Nobody's credentials, and so nobody's credential helpers, have a part in this.
        self.environ = {
            "ARTIFICER_STORE": str(place / "store"),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
        }

    def write_base_files(self) -> Path:
        """The files of the base image, written once: a file that stays as it is costs nothing."""
        folder = self.place / "base"
        files = {
            "bin/hello": program(HELLO, architecture()),
            "etc/os-release": b'ID=demo\nNAME="The base of artificer\'s demo"\n',
            "etc/passwd": b"root:x:0:0:root:/root:/bin/hello\nnobody:x:65534:65534::/:\n",
        }
        for name, data in files.items():
            path = folder / name
            if not path.exists() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        if not os.access(folder / "bin/hello", os.X_OK):
            (folder / "bin/hello").chmod(0o755)
        return folder

    @contextmanager
    def registry(self) -> Iterator[str]:
        """The embedded registry, at the port of last time if that is free: yields HOST:PORT."""
        remembered = self.place / "port"
        port = remembered.read_text().strip() if remembered.exists() else "0"
        for wanted in dict.fromkeys((port, "0")):
            server = self.start(wanted)
            try:
                address = server.stdout.readline().strip() if server.stdout else ""
                if address:
                    remembered.write_text(address.rpartition(":")[2])
                    tell(command_line(("registry", "serve", "--store", self.shelf)))
                    tell(f"It listens at {address}, on this machine only.")
                    yield address
                    return
            finally:
                server.terminate()
                server.communicate()
        sys.stderr.write((self.place / "registry.log").read_text())
        raise Failed("the registry does not start")

    @property
    def shelf(self) -> str:
        """Where the registry keeps what it has."""
        return shown(self.place / "registry")

    def start(self, port: str) -> subprocess.Popen[str]:
        words = ("registry", "serve", "--port", port, "--store", self.shelf)
        with (self.place / "registry.log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "artificer", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environ,
                cwd=CHECKOUT,
                text=True,
            )

    def run(self, *words: str, most: int = 40) -> Ended:
        """Run a command line, and show it and what it says, up to *most* lines of it."""
        tell(command_line(words))
        started = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "artificer", *words],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environ,
            cwd=CHECKOUT,
            text=True,
        )
        seconds = time.monotonic() - started
        lines = ended.stdout.splitlines()
        for line in lines[:most]:
            tell(f"| {line}")
        if len(lines) > most:
            tell(f"| … and {len(lines) - most} lines more")
        if ended.returncode:
            raise Failed(f"artificer {words[0]} … ended with {ended.returncode}")
        return Ended(seconds, "nothing to send" in ended.stdout)

    def build_base(self, host: str) -> Ended:
        folder = self.write_base_files()
        return self.run(
            *("-b", "scratch", "-f", f"{shown(folder)}/."),
            *("--platform", f"linux/{architecture()}", "-t", f"{host}/demo/base:1"),
        )

    def build_application(self, host: str) -> Ended:
        return self.run(
            *("-b", f"{host}/demo/base:1", "-f", "src/artificer:/app/artificer", "LICENSE:/app/"),
            *("--exclude", "**/__pycache__", "--exclude", "**/.*"),
            *("-e", "GREETING=hello", "-c", "/bin/hello", "-t", f"{host}/demo/app:v1"),
        )


def main(words: Sequence[str]) -> int:
    """Go through the steps; an argument names another place than the checkout's build-cache."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no "…" is no reason to end
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the registry ends, too
    place = Path(words[0]).resolve() if words else PLACE
    began = time.monotonic()
    try:
        demo = Demo(place)
        print("artificer builds a container image and pushes it: no Docker, no root, no daemon.")
        print(f"Everything that the demo makes is in {shown(place)}.")
        built = steps(demo)
    except Failed as error:
        return failed(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return failed(
            f"{error.filename}: {error.strerror}; `tools/demo.py DIR` takes another place"
        )
    except KeyboardInterrupt:
        return 130
    total = f"{time.monotonic() - began:.1f} s in all"
    if all(one.idle for one in built):
        seconds = sum(one.seconds for one in built)
        print(
            f"\nNothing to send: both images were there already. That took {seconds:.2f} s to find"
        )
        print(f"out ({total}). To see it all again: rm -r {shown(place)}")
    else:
        print(f"\nDone, {total}. Run it again: there will be nothing left to do.")
    return 0


def failed(reason: str) -> int:
    print(f"\nerror: {reason}", file=sys.stderr)
    return 1


def steps(demo: Demo) -> list[Ended]:
    """Everything, in order; what was built says whether there was anything to do."""
    heading("1. A registry to push to: artificer has one, for demos and tests.")
    with demo.registry() as host:
        heading("2. A base image from scratch: a small program, and two files that systems have.")
        base = demo.build_base(host)
        took(base)
        heading("3. An application on that base: artificer's own source, packed as an image.")
        application = demo.build_application(host)
        took(application)
        if base.idle and application.idle:
            return [base, application]
        heading("4. The same again. Nothing has changed, so nothing is read, packed or sent.")
        took(demo.build_application(host))
        heading("5. Fetched back, as another machine would: into a store that is empty.")
        demo.run("pull", f"{host}/demo/app:v1", "--store", shown(demo.place / "elsewhere"))
        heading("6. What the image says about itself, and the files in it.")
        demo.run("inspect", f"{host}/demo/app:v1")
        demo.run("tree", f"{host}/demo/app:v1", "--depth", "2")
    return [base, application]


def heading(text: str) -> None:
    print(f"\n{text}", flush=True)


def tell(text: str) -> None:
    for line in text.splitlines():
        print(f"{INDENT}{line}", flush=True)


def took(ended: Ended) -> None:
    tell(f"That took {ended.seconds:.2f} s.")


def command_line(words: Sequence[str]) -> str:
    """The words as somebody would type them; a long line is broken before its options."""
    text = " ".join(["$ artificer", *(f"'{word}'" if "*" in word else word for word in words)])
    if len(text) <= 90:
        return text
    first, *rest = text.split(" -")
    return " \\\n      -".join([f"{first} -{rest[0]}", *rest[1:]])


def shown(path: Path) -> str:
    """*path* as seen from the checkout, where the commands run."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)


def architecture() -> str:
    """This machine's, as images call it; of those that `program` knows."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "amd64"


def program(text: bytes, machine: str) -> bytes:
    """A statically linked Linux program that prints *text*: no compiler, no library, 200 bytes."""
    number, code = (183, _arm64(len(text))) if machine == "arm64" else (62, _amd64(len(text)))
    head, load, address = 64, 56, 0x400000
    size = head + load + len(code) + len(text)
    start = (address + head + load, head, 0, 0, head, load, 1, 64, 0, 0)
    elf = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, number, 1, *start)
    readable_and_executable = 5
    segment = (1, readable_and_executable, 0, address, address, size, size, 0x1000)
    return elf + struct.pack("<IIQQQQQQ", *segment) + code + text


def _amd64(size: int) -> bytes:
    """write(1, what follows, size); exit(0)."""
    rest = b"\xba" + struct.pack("<I", size)  # mov edx, size
    rest += b"\xb8\1\0\0\0\x0f\5"  # mov eax, 1; syscall
    rest += b"\x31\xff\xb8\x3c\0\0\0\x0f\5"  # xor edi, edi; mov eax, 60; syscall
    first = b"\xbf\1\0\0\0\x48\x8d\x35"  # mov edi, 1; lea rsi, [rip + …]
    return first + struct.pack("<I", len(rest)) + rest


def _arm64(size: int) -> bytes:
    """The same: mov x0, 1; adr x1, +28; mov x2, size; mov x8, 64; svc 0; mov x0, 0; …"""
    words = (0xD2800020, 0x100000E1, 0xD2800002 | size << 5, 0xD2800808, 0xD4000001)
    return struct.pack("<8I", *words, 0xD2800000, 0xD2800BA8, 0xD4000001)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
