import os
import subprocess
from pathlib import Path

import pytest

from artificer.builder.staged.modes import InvalidMode, parse_mode

WORDS = [
    *("755", "0", "07777", "u=rwX,go=rX", "+x", "+w", "-w", "g=u", "o=g", "u=o", "a+r", "ugo-x"),
    *("u+s", "g+s", "+t", "u-s", "u=rwxs", "go=", "a=", "u+x-w", "+X", "a=rX", "o+rw,g-x", "=r"),
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("own", [0o644, 0o600, 0o755, 0o4751, 0o2770, 0o1777, 0])
@pytest.mark.parametrize("directory", [False, True])
def test_a_mode_becomes_what_chmod_makes_of_it(
    tmp_path: Path, word: str, own: int, *, directory: bool
) -> None:
    place = tmp_path / "x"
    if directory:
        place.mkdir()
    else:
        place.touch()
    os.chmod(place, own)
    # It ends with 1 where the umask has kept it from taking something away.
    subprocess.run(["chmod", "--", word, place], check=False, umask=0o022, capture_output=True)
    expected = place.stat().st_mode & 0o7777
    if directory:
        # chmod(1) keeps the set-id bits of directories where they are not named: it is GNU's own.
        expected &= 0o1777
        made = parse_mode(word).of(own, directory=True) & 0o1777
    else:
        made = parse_mode(word).of(own, directory=False)

    assert f"{made:o}" == f"{expected:o}"


@pytest.mark.parametrize("word", ["", "8", "77777", "rwx", "u", "u+q", "u+x,", "0o755", "z=r"])
def test_what_is_no_mode_is_refused(word: str) -> None:
    with pytest.raises(InvalidMode):
        parse_mode(word)
