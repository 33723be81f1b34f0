"""Names that are not ours, and targets that are addresses: DNS rebinding's first half."""

from collections.abc import Callable

import pytest

from backend.service.guard import Guard
from backend.service.study_page.guard import PageGuard
from tests.attacks.targets import TOKEN, Target, ask, request
from tests.promises import Tally

pytestmark = pytest.mark.server


def hostile_heads(port: int) -> list[tuple[str, str | None, tuple[str, ...], str]]:
    """Target prefix, Host, further headers, HTTP version."""
    names = (
        "evil.test",
        f"evil.test:{port}",
        "127.0.0.1",
        "localhost",
        f"127.0.0.1:{port + 1}",
        f"127.0.0.1.evil:{port}",
        f"127.0.0.1.evil.test:{port}",
        f"127.0.0.1.:{port}",
        f"localhost.:{port}",
        f"LOCALHOST:{port}",
        f"LocalHost:{port}",
        f"[::1]:{port}",
        f"0.0.0.0:{port}",
        f"127.1:{port}",
        f"127.0.0.2:{port}",
        f"2130706433:{port}",
        f"0x7f000001:{port}",
        f"[::ffff:127.0.0.1]:{port}",
        f"127.0.0.1:0{port}",
        f"127.0.0.1:{port}:{port}",
        f"127.0.0.1:{port}, evil.test",
        f"evil.test, 127.0.0.1:{port}",
        f"user@127.0.0.1:{port}",
        f"evil.test@127.0.0.1:{port}",
        f"127.0.0.1:{port}@evil.test",
        f"127.0.0.1:{port}/",
        f"127.0.0.1:{port}#",
        f"http://127.0.0.1:{port}",
        f"*.localhost:{port}",
        f"x.localhost:{port}",
        f"localhost\xe9:{port}",
        "subject-studio",
        "",
    )
    ours = f"127.0.0.1:{port}"
    found: list[tuple[str, str | None, tuple[str, ...], str]] = [("", name, (), "1.1") for name in names]
    found += [("", f"evil.test:{port}", (f"X-Forwarded-Host: {ours}", f"Forwarded: host={ours}"), "1.1")]
    found += [
        ("", ours, ("Host: evil.test",), "1.1"),
        ("", "evil.test", (f"Host: {ours}",), "1.1"),
        ("", ours, (f"Host: {ours}",), "1.1"),
    ]
    found += [("", None, (), "1.1"), ("", None, (), "1.0")]
    found += [(f"http://{name}", host, (), "1.1") for name in (f"evil.test:{port}", ours) for host in (ours, "evil.test")]
    return found


def answered(target: Target, path: str) -> int:
    """How many of the hostile heads were not refused."""
    count = 0
    for prefix, host, more, version in hostile_heads(target.port):
        headers = (f"Authorization: Bearer {TOKEN}", *more)
        found = ask(target.port, request(prefix + path, host=host, headers=headers, version=version))
        count += found.status not in (400, 421)
    return count


@pytest.mark.promise(
    "a call that names another host, two hosts, none, ours in other letters or a whole address as its target is refused with 421",
    area="Service",
    goal="0 of 129 calls on both servers",
    control="tests/attacks/test_hosts.py::test_without_its_check_other_names_are_answered",
)
def test_other_hosts_are_refused(service_target: Target, page_target: Target, tally: Tally) -> None:
    for target, path in ((service_target, "/livez"), (service_target, "/openapi.json"), (page_target, "/s/")):
        assert ask(target.port, request(path, host=target.host, headers=(f"Authorization: Bearer {TOKEN}",))).status == 200
        lost = answered(target, path)
        tally.record(len(hostile_heads(target.port)), lost=lost)
        assert lost == 0


@pytest.mark.parametrize(("guard", "path"), [(Guard, "/livez"), (PageGuard, "/s/")])
def test_without_its_check_other_names_are_answered(
    service_target: Target, page_target: Target, switched_off: Callable[..., None], guard: type, path: str
) -> None:
    switched_off(guard, guard.of_host)  # pyright: ignore[reportAttributeAccessIssue]
    assert answered(service_target if guard is Guard else page_target, path) > 25


def test_without_its_check_whole_addresses_are_answered_as_nothing(
    service_target: Target, switched_off: Callable[..., None]
) -> None:
    raw = request(f"http://evil.test:{service_target.port}/livez", host=service_target.host)
    assert ask(service_target.port, raw).status == 421
    switched_off(Guard, Guard.of_head)
    assert ask(service_target.port, raw).status != 421
