import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from backend.geometry import rle

masks = npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@st.composite
def mask_pairs(draw):
    shape = draw(npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20))
    return draw(npst.arrays(bool, shape)), draw(npst.arrays(bool, shape))


def reference_counts(runs):
    """The published algorithm, number by number: difference from the fourth run on, then five bits at a time."""
    text = ""
    for i, run in enumerate(runs):
        x = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            c = x & 0x1F
            x >>= 5
            more = x != -1 if c & 0x10 else x != 0
            text += chr((c | 0x20 if more else c) + 48)
    return text.encode()


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        (["00", "00"], b"4"),
        (["11", "11"], b"04"),
        (["10", "00"], b"013"),
        (["01", "00"], b"211"),
        (["0101", "0101"], b"2220"),
    ],
)
def test_small_masks_have_the_counts_worked_out_by_hand(rows, counts):
    mask = np.array([[c == "1" for c in row] for row in rows])
    assert rle.encode(mask) == counts


def test_a_long_run_is_written_in_groups_of_five_bits():
    mask = np.zeros((10, 100), bool)
    # 1000 = 31 * 32 + 8; 31 has bit 16 set and is positive, so a third group of zero closes it.
    assert rle.encode(mask) == bytes([(8 | 32) + 48, (31 | 32) + 48, 0 + 48])


@given(masks)
def test_decoding_gives_the_mask_back(mask):
    np.testing.assert_array_equal(rle.decode(rle.encode(mask), *mask.shape), mask)


@given(masks)
def test_counts_equal_the_published_algorithm(mask):
    runs, current = [0], False
    for pixel in mask.T.ravel():
        if pixel == current:
            runs[-1] += 1
        else:
            runs.append(1)
            current = pixel
    assert rle.encode(mask) == reference_counts(runs)


@given(masks)
def test_area_counts_the_set_pixels(mask):
    assert rle.area(rle.encode(mask)) == mask.sum()


@given(mask_pairs())
def test_iou_equals_counting_pixels(pair):
    a, b = pair
    either = (a | b).sum()
    assert rle.iou(rle.encode(a), rle.encode(b)) == pytest.approx((a & b).sum() / either if either else 0)


def test_iou_refuses_masks_of_two_sizes():
    with pytest.raises(ValueError, match="cover 4 pixels, expected 6"):
        rle.iou(rle.encode(np.ones((2, 3), bool)), rle.encode(np.ones((2, 2), bool)))


def test_decoding_refuses_counts_of_another_size():
    with pytest.raises(ValueError, match="cover 4 pixels, expected 9"):
        rle.decode(rle.encode(np.ones((2, 2), bool)), 3, 3)


@pytest.mark.parametrize("counts", [b" ", b"\xff", b"X", b"O", b"o" * 20 + b"1"])
def test_malformed_counts_are_refused(counts):
    with pytest.raises(ValueError, match="run"):
        rle.decode(counts, 2, 2)


@given(st.binary(max_size=30))
def test_arbitrary_bytes_never_give_a_mask_of_the_wrong_size(counts):
    try:
        mask = rle.decode(counts, 3, 4)
    except ValueError:
        return
    assert mask.shape == (3, 4)
    assert mask.dtype == bool
