"""Programs of Go and C in images: cold, and with one of their sources changed.

Then such an image is loaded into an engine, and loaded again after a change of one line.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from bench.builds import Case, Section, Shop, shop
from bench.measure import Runner, Sample
from bench.targets import Verdict
from tests.parts import engines

TIMES = 5.0
LOADED = 1_000_000
PARTS = 40
FUNCTIONS = 60
ASSETS = 16 << 20

_IMAGE = """\
load("@io_bazel_rules_docker//container:container.bzl", "container_image", "container_layer")
load("@io_bazel_rules_go//go:def.bzl", "go_binary")

container_layer(
    name = "assets",
    files = ["assets.bin"],
)

container_image(
    name = "image",
    entrypoint = ["/server"],
    files = [":server"],
    layers = [":assets"],
)
"""
_GO_BUILD = 'go_binary(name = "server", srcs = ["main.go", "greeting.go"])\n'
_GO_MAIN = """\
package main

import (
\t"fmt"
\t"html/template"
\t"net/http"
)

func main() {
\tpage := template.Must(template.New("page").Parse("<p>{{.}}</p>"))
\thttp.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { page.Execute(w, greeting) })
\tfmt.Println(http.ListenAndServe(":8080", nil))
}
"""
_C_BUILD = 'cc_binary(name = "server", srcs = glob(["*.c", "*.h"]))\n'
_C_HEAD = '#include <stdio.h>\n#include <string.h>\n#include "app/parts.h"\n'
_C_FUNCTION = """\
static int f{number}(int a, const char *s) {{
    int t = a;
    for (int i = 0; i < {number} + 3; i++) {{
        t = t * {part} + (s[i % 3] ^ i);
        if (t % ({number} + 2) == 1) t += (int)strlen(s);
        switch (t & 7) {{ case 1: t ^= 3; break; case 2: t += a; break; case 5: return t - i; }}
    }}
    return t;
}}
"""


def programs(run: Runner, rounds: int) -> Section:
    """Measure it all, as far as the toolchains and engines are here."""
    cases: list[Case] = []
    verdicts: list[Verdict] = []
    for name, tool, make in (("Go", "go", go_program), ("C", "cc", c_program)):
        if shutil.which(tool, path=run.environ["PATH"]):
            own = shop(run, name.lower())
            edit = make(own.root)
            own.root.joinpath("app", "assets.bin").write_bytes(Random(1).randbytes(ASSETS))
            cold = Case(f"{name}, cold", [own.artificer("build -q //app:image")])
            samples = [_edited(own, edit, number) for number in range(rounds)]
            changed = Case(f"{name}, one source changed", samples)
            cases += [cold, changed]
            ratio = cold.wall / changed.wall
            what = f"a program of {name}, one source changed"
            verdicts.append(Verdict(what, f"≥ {TIMES} × cold", f"{ratio:.1f} ×", ratio >= TIMES))
    if cases:
        # The last of them is the one whose program is small.
        for case, verdict in loads(own, edit, rounds):
            cases.append(case)
            verdicts += [verdict] if verdict else []
    return Section("programs", "programs in images by the host's toolchain", cases, verdicts)


def _edited(own: Shop, edit: Callable[[int], None], number: int) -> Sample:
    edit(number)
    return own.artificer("build -q //app:image")


def go_program(root: Path) -> Callable[[int], None]:
    """A server of two sources; what is returned changes one of them."""
    app = root / "app"
    app.mkdir()
    (root / "go.mod").write_text("module bench\n\ngo 1.19\n")
    (app / "BUILD").write_text(_IMAGE + _GO_BUILD)
    (app / "main.go").write_text(_GO_MAIN)

    def edit(number: int) -> None:
        (app / "greeting.go").write_text(f'package main\n\nconst greeting = "hello {number}"\n')

    edit(-1)
    return edit


def c_program(root: Path) -> Callable[[int], None]:
    """A program of many sources; what is returned changes one of them."""
    app = root / "app"
    app.mkdir()
    (app / "BUILD").write_text(_IMAGE + _C_BUILD)
    (app / "parts.h").write_text("".join(f"int part{n}(int);\n" for n in range(PARTS)))
    calls = "".join(f"    t += part{n}(t);\n" for n in range(PARTS))
    main = f'int main(void) {{\n    int t = 0;\n{calls}    printf("%d\\n", t);\n}}\n'
    (app / "main.c").write_text(_C_HEAD + main)
    for part in range(PARTS):
        (app / f"part{part}.c").write_text(_c_part(part))

    def edit(number: int) -> None:
        (app / "part7.c").write_text(f"{_c_part(7)}int changed = {number};\n")

    return edit


def _c_part(part: int) -> str:
    functions = "".join(_C_FUNCTION.format(number=n, part=part) for n in range(FUNCTIONS))
    calls = "".join(f'    t += f{n}(t, "{part} {n}");\n' for n in range(FUNCTIONS))
    return f"{_C_HEAD}{functions}int part{part}(int t) {{\n{calls}    return t;\n}}\n"


def loads(
    own: Shop, edit: Callable[[int], None], rounds: int
) -> Iterator[tuple[Case, Verdict | None]]:
    """Load the image into each engine that is here, and again after each change."""
    for engine, running in (("docker", _docker), ("podman", _podman)):
        state = own.state / engine
        state.mkdir()
        try:
            with running(state, own.run.environ) as environ:
                script = f"run --progress json --engine {engine} //app:image"
                first = own.artificer(script, **environ)
                yield _loaded(engine, "first", own, [first])[0], None
                samples = []
                for number in range(rounds):
                    edit(1000 + number)
                    samples.append(own.artificer(script, **environ))
                yield _loaded(engine, "after a change of one line", own, samples)
        except (pytest.skip.Exception, pytest.fail.Exception):
            continue


def _loaded(engine: str, which: str, own: Shop, samples: list[Sample]) -> tuple[Case, Verdict]:
    lines = (own.state / "log").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    (sent,) = (event["sent"] for event in events if event["event"] == "engine-loaded")
    told = f"{sent / 1e6:.2f} MB sent"
    name = f"load into {engine}, {which}"
    return Case(name, samples, told), Verdict(
        name, f"< {LOADED / 1e6:.0f} MB", told, sent < LOADED
    )


@contextmanager
def _docker(state: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    with engines.docker_daemon(state, environ) as daemon:
        yield {"DOCKER_HOST": daemon.url}


@contextmanager
def _podman(state: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    with engines.storage(state, environ) as private:
        yield {name: value for name, value in private.items() if environ.get(name) != value}
