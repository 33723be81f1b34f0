"""Marks: the standard's own vectors, every way to change a file or a mark, and lossless changes of container."""

import base64
import json
import stat
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domain import ImportRefused, MediaError, ProjectError, SettingsError
from backend.media.content import read_comments, read_content, write_comment
from backend.media.writer import write_video
from backend.provenance import KeyRing, PublicKey, check_file, comment_of, make_mark, read_mark
from backend.provenance.keys import OWN, PRIVATE, PUBLIC, decoded, encoded, read_public

MADE = {"schema": 1, "system": "squares", "case": "square_1", "seed": 42, "made_at": "2025-11-20T10:00:00+00:00"}
# RFC 8037, appendix A: an Ed25519 key, its thumbprint and a signed text
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RFC_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def moving(frames: int = 12, side: int = 32) -> np.ndarray:
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (side, side * 2, 3), dtype=np.uint8)
    return np.stack([texture[:, n : n + side] for n in range(frames)])


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys")


@pytest.fixture
def signed(tmp_path: Path, ring: KeyRing) -> Path:
    """A video with its mark in it."""
    raw, path = tmp_path / "raw.mp4", tmp_path / "video.mp4"
    write_video(raw, moving(), fps=12, crf=18, bitexact=True)
    write_comment(raw, path, comment_of(make_mark(read_content(raw), MADE, ring.signer())))
    raw.unlink()
    return path


def remuxed(
    source: Path, target: Path, *, keep: bool = True, change: Callable[[int, av.Packet], bool] | None = None
) -> Path:
    """The same packets in another container; `change` may leave some out."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        if keep:
            written.metadata.update(read.metadata)
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, packet in enumerate(read.demux(read.streams.video[0])):
            if packet.size and (change is None or change(number, packet)):
                packet.stream = stream
                written.mux(packet)
    return target


def test_thumbprint_and_signature_are_those_of_the_standard() -> None:
    key = PublicKey(decoded(RFC_X))
    assert key.id == RFC_THUMBPRINT
    head, body, signature = RFC_TOKEN.split(".")
    assert key.verifies(decoded(signature), f"{head}.{body}".encode())
    assert not key.verifies(decoded(signature), f"{head}.{body}x".encode())


@given(st.binary(max_size=80))
def test_base64url_is_the_standard_librarys_without_padding(data: bytes) -> None:
    assert encoded(data) == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert decoded(encoded(data)) == data


def test_a_signed_file_is_intact_and_says_how_it_was_made(signed: Path, ring: KeyRing) -> None:
    found = check_file(signed, ring)
    assert (found.state, found.exit_code, found.signer, found.mark_in) == ("intact", 0, OWN, "file")
    assert found.made == MADE
    assert found.sentences[0] == "intact: the file is as it was signed by you"
    assert "squares for case square_1, seed 42" in found.sentences[1]


def test_the_mark_can_be_checked_by_openssl(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    """Nothing of ours is needed: the token's two first parts are what is signed."""
    mark = read_mark(read_comments(signed)[0])
    assert mark is not None
    head, body, signature = mark.token.split(".")
    (tmp_path / "message").write_text(f"{head}.{body}")
    (tmp_path / "signature").write_bytes(decoded(signature))
    ring.export(tmp_path / "key.pem")
    command = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ]
    try:
        found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert "Verified Successfully" in found.stdout, found.stderr


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_another_container_keeps_the_mark_and_the_content(signed: Path, ring: KeyRing, tmp_path: Path, suffix: str) -> None:
    assert check_file(remuxed(signed, tmp_path / f"other{suffix}"), ring).state == "intact"


def test_a_transport_stream_keeps_the_content_and_loses_the_mark(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    """It frames packets otherwise, which is why pictures are digested and not packets."""
    raw = tmp_path / "other.ts"
    with av.open(str(signed)) as read, av.open(str(raw), "w", options={"mpegts_flags": "resend_headers"}) as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.size:
                packet.stream = stream
                written.mux(packet)
    assert read_content(raw).pictures == read_content(signed).pictures
    assert check_file(raw, ring).state == "no_mark"


def test_a_lost_mark_is_found_in_the_settings_file(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    mark = read_mark(read_comments(signed)[0])
    assert mark is not None
    stripped = remuxed(signed, tmp_path / "stripped.mp4", keep=False)
    assert check_file(stripped, ring).state == "no_mark"
    beside = stripped.with_suffix(".json")
    beside.write_text(json.dumps({**MADE, "mark": mark.token}))
    found = check_file(stripped, ring)
    assert (found.state, found.mark_in) == ("intact", "sidecar")
    beside.write_text(json.dumps({**MADE, "system": "another", "mark": mark.token}))
    found = check_file(stripped, ring)
    assert found.state == "intact"
    assert "says otherwise of system" in " ".join(found.sentences)


def test_a_changed_video_is_told_from_a_changed_mark(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    comment = read_comments(signed)[0]
    frames = moving()
    frames[5, 8:16, 8:16] = 255
    write_video(tmp_path / "raw.mp4", frames, fps=12, crf=18)
    write_comment(tmp_path / "raw.mp4", tmp_path / "painted.mp4", comment)
    found = check_file(tmp_path / "painted.mp4", ring)
    assert (found.state, found.exit_code) == ("file_changed", 3)
    assert "its pictures are others" in found.sentences[0]
    shorter = remuxed(signed, tmp_path / "short.mp4", change=lambda number, packet: number < 9)
    assert "9 frames, not 12" in check_file(shorter, ring).sentences[0]
    write_video(tmp_path / "raw.mp4", moving(), fps=24, crf=18, bitexact=True)
    write_comment(tmp_path / "raw.mp4", tmp_path / "fast.mp4", comment)
    assert "24.000 frames a second, not 12.000" in check_file(tmp_path / "fast.mp4", ring).sentences[0]
    write_video(
        tmp_path / "raw.mp4", moving(), fps=12, crf=18, audio=(np.sin(np.arange(48_000) / 20).astype(np.float32), 48_000)
    )
    write_comment(tmp_path / "raw.mp4", tmp_path / "loud.mp4", comment)
    assert "sound was added" in check_file(tmp_path / "loud.mp4", ring).sentences[0]


def with_comment(signed: Path, target: Path, comment: str) -> Path:
    write_comment(signed, target, comment)
    return target


def test_a_changed_mark_is_never_believed(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    mark = read_mark(read_comments(signed)[0])
    assert mark is not None
    head, _, signature = mark.token.split(".")
    body = encoded(json.dumps({**mark.claim, "settings": {**MADE, "system": "somebody else's"}}).encode())
    found = check_file(with_comment(signed, tmp_path / "a.mp4", comment_of(f"{head}.{body}.{signature}")), ring)
    assert (found.state, found.exit_code, found.made, found.signer) == ("mark_changed", 4, {}, "")
    cut = check_file(with_comment(signed, tmp_path / "b.mp4", comment_of(mark.token)[:200]), ring)
    assert cut.state == "mark_changed"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_single_character_of_a_mark_can_be_changed(signed: Path, data: st.DataObject) -> None:
    """But for spare bits of base64, which say nothing."""
    mark = read_mark(read_comments(signed)[0])
    assert mark is not None
    at = data.draw(st.integers(0, len(mark.token) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    text = mark.token[:at] + other + mark.token[at + 1 :]
    if text == mark.token or mark.token[at] == ".":
        return
    try:
        found = read_mark(text)
    except ImportRefused:
        return
    assert found is not None
    assert not found.is_signed or [decoded(part) for part in text.split(".")] == [
        decoded(part) for part in mark.token.split(".")
    ]


def test_a_mark_moved_to_another_video_does_not_fit(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    write_video(tmp_path / "raw.mp4", moving()[::-1], fps=12, crf=18)
    write_comment(tmp_path / "raw.mp4", tmp_path / "moved.mp4", read_comments(signed)[0])
    assert check_file(tmp_path / "moved.mp4", ring).state == "file_changed"


def test_another_signer_is_unknown_until_trusted(signed: Path, ring: KeyRing, tmp_path: Path) -> None:
    other = KeyRing(tmp_path / "others")
    found = check_file(signed, other)
    assert (found.state, found.exit_code) == ("unknown_signer", 5)
    assert ring.signer().public.id in found.sentences[0]
    key = ring.export(tmp_path / "ann.pem")
    assert other.trust(tmp_path / "ann.pem", "ann") == key
    found = check_file(signed, other)
    assert (found.state, found.signer) == ("intact", "ann")


def test_a_file_without_a_mark(tmp_path: Path, ring: KeyRing) -> None:
    write_video(tmp_path / "plain.mp4", moving(), fps=12)
    found = check_file(tmp_path / "plain.mp4", ring)
    assert (found.state, found.exit_code, found.made) == ("no_mark", 6, {})


def test_a_comment_that_names_a_web_site_is_no_mark(tmp_path: Path, ring: KeyRing) -> None:
    write_video(tmp_path / "raw.mp4", moving(), fps=12)
    plain = with_comment(
        tmp_path / "raw.mp4", tmp_path / "plain.mp4", "From https://download.samplelib.com/mp4/sample.html"
    )
    found = check_file(plain, ring)
    assert (found.state, found.exit_code) == ("no_mark", 6)


def test_a_broken_marked_file_is_changed(signed: Path, ring: KeyRing) -> None:
    data = bytearray(signed.read_bytes())
    at = (data.rfind(b"mdat") + len(data)) // 2  # amid the pictures, beyond the encoder's own words at their start
    data[at : at + 400] = bytes(400)
    signed.write_bytes(data)
    assert check_file(signed, ring).state == "file_changed"


def test_the_private_key_is_for_its_user_alone(ring: KeyRing) -> None:
    public = ring.signer().public
    path = ring.folder / PRIVATE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(ring.folder.stat().st_mode) == 0o700
    assert ring.signer().public == public, "made once"
    assert read_public(ring.folder / PUBLIC) == public
    path.chmod(0o644)
    with pytest.raises(ProjectError, match="can be read by others"):
        ring.signer()
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(ProjectError, match="no private key that can be read"):
        ring.signer()


def test_a_public_key_that_was_lost_is_written_anew(signed: Path, ring: KeyRing) -> None:
    public = ring.signer().public
    (ring.folder / PUBLIC).unlink()  # as after a crash between making one file and the other
    assert ring.signer().public == public
    assert ring.known() == {OWN: public}
    assert check_file(signed, ring).state == "intact"


def test_keys_that_are_none_are_refused(ring: KeyRing, tmp_path: Path) -> None:
    ring.signer()
    with pytest.raises(SettingsError, match="holds a private key, which nobody else may have"):
        ring.trust(ring.folder / PRIVATE, "ann")
    (tmp_path / "x.pem").write_text("hello")
    with pytest.raises(SettingsError, match="is no public key"):
        ring.trust(tmp_path / "x.pem", "ann")
    for name in ("you", "../up", ""):
        with pytest.raises(SettingsError, match="names no key"):
            ring.trust(ring.folder / PUBLIC, name)
    other = KeyRing(tmp_path / "others")
    ring.trust(other.export(tmp_path / "o.pem") and tmp_path / "o.pem", "ann")
    ring.trust(tmp_path / "o.pem", "ann")
    with pytest.raises(SettingsError, match="is another key already"):
        ring.trust(ring.folder / PUBLIC, "ann")


def test_two_that_make_the_key_at_once_end_with_one(tmp_path: Path) -> None:
    script = f"from pathlib import Path; from backend.provenance import KeyRing; print(KeyRing(Path({str(tmp_path / 'keys')!r})).signer().public.id)"
    many = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({process.communicate()[0] for process in many}) == 1


def test_what_is_no_video_is_said_to_be_none(tmp_path: Path, ring: KeyRing) -> None:
    (tmp_path / "x.mp4").write_text("text")
    with pytest.raises(MediaError, match="not a video"):
        check_file(tmp_path / "x.mp4", ring)
    with pytest.raises(MediaError, match="no such file"):
        check_file(tmp_path / "y.mp4", ring)


def test_writing_a_comment_changes_no_packet(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", moving(), fps=Fraction(30000, 1001), audio=(np.zeros((2, 24_000), np.float32), 48_000))
    write_comment(tmp_path / "a.mp4", tmp_path / "b.mp4", "hello")
    one, other = read_content(tmp_path / "a.mp4"), read_content(tmp_path / "b.mp4")
    assert one == other
    assert one.sound
    assert one.fps == pytest.approx(29.97, abs=1e-3)
    assert read_comments(tmp_path / "b.mp4") == ("hello",)
    assert read_comments(tmp_path / "a.mp4") == ()
