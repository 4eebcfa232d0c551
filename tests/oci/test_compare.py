from artificer.oci.compare import Difference, differences
from artificer.oci.edit import Stamp, annotated, configured, converted, empty
from artificer.oci.platform import LINUX_AMD64
from artificer.oci.settings import Settings

SCRATCH = empty(LINUX_AMD64, "oci")


def test_an_image_does_not_differ_from_itself() -> None:
    assert list(differences(SCRATCH, SCRATCH)) == []


def test_every_variable_label_and_port_is_told_by_itself() -> None:
    one = configured(
        SCRATCH, Settings(env=(("A", "1"), ("B", "1")), labels=(("l", "1"),)), Stamp()
    )
    other = configured(SCRATCH, Settings(env=(("A", "2"), ("C", "1")), ports=("80/tcp",)), Stamp())

    assert list(differences(one, other)) == [
        Difference("config.Env.A", "1", "2"),
        Difference("config.Env.B", "1", None),
        Difference("config.Env.C", None, "1"),
        Difference("config.ExposedPorts.80/tcp", None, "{}"),
        Difference("config.Labels.l", "1", None),
    ]


def test_commands_times_annotations_and_formats_are_compared() -> None:
    one = configured(SCRATCH, Settings(cmd=("a", "b")), Stamp("1970-01-01T00:00:00Z"))
    other = annotated(
        configured(one, Settings(cmd=("a",)), Stamp("1970-01-01T00:00:01Z")), {"k": "v"}
    )

    told = {
        one.field: (one.before, one.after) for one in differences(one, converted(other, "docker"))
    }

    assert told == {
        "annotations.k": (None, "v"),
        "config.Cmd": ('["a", "b"]', '["a"]'),
        "created": ("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"),
        "format": ("oci", "docker"),
    }


def test_null_and_empty_settings_are_as_good_as_none() -> None:
    one = configured(SCRATCH, Settings(entrypoint=("x",)), Stamp())  # Cmd becomes null

    assert [two.field for two in differences(SCRATCH, one)] == ["config.Entrypoint"]
