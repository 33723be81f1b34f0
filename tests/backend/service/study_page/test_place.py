"""Where the page may be served, whose address it is asked from, which names and origins are its own."""

import pytest

from backend.domain import SettingsError
from backend.service.study_page import PagePlace
from backend.service.study_page.place import network_of


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"host": "192.0.2.7"}, "without TLS"),
        ({"host": "study.example.org"}, "without TLS"),
        ({"tls_cert": "a.pem"}, "both --tls-cert and --tls-key"),
        ({"behind_proxy": True}, "--public-url https://"),
        ({"behind_proxy": True, "public_url": "http://study.example.org"}, "--public-url https://"),
        ({"host": "0.0.0.0", "tls_cert": "a", "tls_key": "b"}, "no name of its own"),
        ({"public_url": "https://example.org/studies"}, "has a path"),
        ({"port": 70_000}, "port is 70000"),
    ],
)
def test_a_place_where_answers_travel_in_the_open_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        PagePlace(**fields)


def test_loopback_has_three_names_and_no_tls() -> None:
    place = PagePlace(port=8470)
    assert place.url == "http://127.0.0.1:8470"
    assert place.hosts == {"127.0.0.1:8470", "localhost:8470"}
    assert not place.is_secure
    assert PagePlace(host="::1", port=1).url == "http://[::1]:1"


def test_behind_a_proxy_only_the_public_name_is_ours() -> None:
    place = PagePlace(behind_proxy=True, public_url="https://study.example.org/")
    assert place.hosts == {"study.example.org"}
    assert place.origins == {"https://study.example.org"}
    assert place.is_secure
    assert place.invitation("t0k") == "https://study.example.org/s/join/t0k"


def test_forwarded_addresses_count_behind_a_proxy_only_and_only_the_last() -> None:
    scope = {"client": ("127.0.0.1", 5), "headers": [(b"x-forwarded-for", b"6.6.6.6, 198.51.100.4")]}
    proxied = PagePlace(behind_proxy=True, public_url="https://study.example.org")
    assert PagePlace().address_of(scope) == "127.0.0.1"
    assert proxied.address_of(scope) == "198.51.100.4"
    assert proxied.address_of({"client": ("127.0.0.1", 5), "headers": []}) == "127.0.0.1"
    assert PagePlace().address_of({"client": None, "headers": []}) == "unknown"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("198.51.100.4", "198.51.100.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.4", "198.51.100.4"),
        ("<script>", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_household_has_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
