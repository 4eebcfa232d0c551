import pytest

from artificer.http.inside import may_send
from artificer.http.request import authority


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/",
        "https://169.254.170.2/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fd00:ec2::254]/",
        "http://[FD00:EC2:0:0::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://100.100.100.200/",
        "http://168.63.129.16/",
        "http://metadata.google.internal/",
        "http://metadata.google.internal./",
        "http://127.0.0.1:6443/",
        "http://127.8.8.8/",
        "http://[::1]/",
        "http://localhost/",
        "http://sub.localhost/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://224.0.0.1/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://169.0xfe.0xa9.0xfe/",
        "http://127.1/",
        "http://0x7F000001/",
    ],
)
def test_nobody_outside_sends_us_to_what_is_hidden_from_it(url: str) -> None:
    assert not may_send(authority("https://registry.example"), authority(url))
    assert not may_send(authority("http://10.0.0.1:5000"), authority(url))


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.example/x",
        "https://8.8.8.8/",
        "http://10.1.2.3:9000/",
        "http://192.168.1.1/",
        "http://[fd00::1]/",
        "https://metadata.example/",
        "https://x1.0x.example/",
    ],
)
def test_elsewhere_anybody_may_send_us(url: str) -> None:
    assert may_send(authority("https://registry.example"), authority(url))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:9000"),
        ("http://localhost:5000", "http://[::1]:9000"),
        ("http://169.254.1.1", "https://169.254.1.1:8443"),
    ],
)
def test_who_is_there_itself_may_send_us_there(here: str, there: str) -> None:
    assert may_send(authority(here), authority(there))


def test_loopback_sees_what_no_other_does_but_no_clouds_metadata() -> None:
    assert not may_send(authority("http://127.0.0.1"), authority("http://169.254.169.254"))
