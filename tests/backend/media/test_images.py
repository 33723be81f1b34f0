import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from backend.domain import MediaError
from backend.media.images import decode_image, encode_png, encode_webp, image_size, read_image, read_rgba


def _saved(picture: Image.Image, format: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, format=format, **options)
    return target.getvalue()


SHAPES = st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([3, 4]))


@given(arrays(np.uint8, SHAPES))
def test_png_gives_back_the_pixels(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_image(encode_png(pixels)), pixels)


@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
def test_lossless_webp_gives_back_the_pixels(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(decode_image(encode_webp(pixels, lossless=True)), pixels)


def test_a_cut_out_keeps_its_alpha_through_webp() -> None:
    pixels = np.full((40, 60, 4), (10, 200, 90, 255), dtype=np.uint8)
    pixels[:20, :, 3] = 0
    stored = decode_image(encode_webp(pixels))
    np.testing.assert_array_equal(stored[..., 3], pixels[..., 3])
    assert np.abs(stored[25:, :, :3].astype(int) - pixels[25:, :, :3]).max() < 6


def test_alpha_is_blended_on_the_stated_background() -> None:
    data = encode_png(np.array([[[100, 0, 200, 51], [1, 2, 3, 255]]], dtype=np.uint8))
    # 100·0.2 + 255·0.8 = 224, 204, 244; on black 20, 0, 40
    np.testing.assert_array_equal(read_image(data), [[[224, 204, 244], [1, 2, 3]]])
    np.testing.assert_array_equal(read_image(data, background=(0, 0, 0)), [[[20, 0, 40], [1, 2, 3]]])
    np.testing.assert_array_equal(read_rgba(data)[..., 3], [[51, 255]])


def test_sixteen_bits_are_divided_by_257() -> None:
    grey = np.array([[0, 257, 128 * 257, 65535, 200]], dtype=np.uint16)
    np.testing.assert_array_equal(read_image(_saved(Image.fromarray(grey), "PNG"))[0, :, 0], [0, 1, 128, 255, 1])


def test_the_orientation_tag_is_applied() -> None:
    pixels = np.zeros((2, 3, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise: the top left corner comes to the top right
    data = _saved(Image.fromarray(pixels), "PNG", exif=exif)
    assert image_size(data)[:2] == (2, 3)
    shown = read_image(data)
    assert shown.shape == (3, 2, 3)
    assert shown[0, 1, 0] == 255


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "YCbCr"])
def test_every_mode_becomes_three_channels(mode: str) -> None:
    picture = Image.new("RGB", (20, 10), (255, 255, 255)).convert(mode)
    data = _saved(picture, "TIFF" if mode in ("CMYK", "YCbCr", "LA") else "PNG")
    np.testing.assert_array_equal(read_image(data), np.full((10, 20, 3), 255))


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(_saved(Image.new("RGB", (20, 10), (9, 9, 9)), "JPEG"))
    assert image_size(path) == (20, 10, "JPEG")
    assert read_image(path).shape == (10, 20, 3)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_file_that_is_cut_off_is_refused(format: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    data = _saved(Image.fromarray(pixels), format)
    with pytest.raises(MediaError) as caught:
        read_image(data[: len(data) // 2])
    assert caught.value.kind in ("truncated", "unreadable")


@pytest.mark.parametrize(("data", "kind"), [(b"", "empty"), (b"no picture at all", "unreadable")])
def test_other_bytes_are_refused(data: bytes, kind: str) -> None:
    with pytest.raises(MediaError) as caught:
        read_image(data)
    assert caught.value.kind == kind
