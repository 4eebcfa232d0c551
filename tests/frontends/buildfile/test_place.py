"""What an error says of the line that it is about."""

from artificer.builder.place import Place
from artificer.frontends.buildfile.place import failure


def test_a_login_in_the_line_of_an_error_is_not_shown() -> None:
    line = 'debs(archives = ["https://me:hunt@r2@a.example.org/ x main"])'

    error = failure(Place("BUILD", 1, 6), "no", line=line)

    assert error.message.split("\n") == [
        "BUILD:1:6: no",
        '  debs(archives = ["https://**********@a.example.org/ x main"])',
        "       ^",
    ]
