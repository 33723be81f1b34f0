"""Finding an action by a few letters."""

from hypothesis import given
from hypothesis import strategies as st

from studio.fuzzy import fit, ranked

WORDS = st.text(alphabet="abc de", max_size=12)


@given(WORDS, WORDS)
def test_a_title_fits_exactly_when_the_letters_come_in_order(typed: str, title: str) -> None:
    rest = iter(title)
    in_order = all(letter in rest for letter in typed.replace(" ", ""))
    assert (fit(typed, title) is not None) == in_order


def brute_force(typed: str, title: str) -> float | None:
    """The best over every way of placing the letters: the definition, without any cleverness."""

    def best(n: int, after: int) -> float | None:
        if n == len(typed):
            return 0.0
        found = []
        for place in range(after + 1, len(title)):
            if title[place] != typed[n]:
                continue
            rest = best(n + 1, place)
            if rest is None:
                continue
            worth = 1.0 + (8.0 if place == 0 or not title[place - 1].isalnum() else 0.0)
            run = 5.0 if n and place == after + 1 else 0.0
            found.append(rest + worth + run - 0.15 * (place - after - 1))
        return max(found, default=None)

    return best(0, -1)


@given(st.text(alphabet="ab", min_size=1, max_size=4), st.text(alphabet="ab ", max_size=9))
def test_the_score_is_the_best_of_all_placings(typed: str, title: str) -> None:
    mine, theirs = fit(typed, title), brute_force(typed, title)
    assert (mine is None) == (theirs is None)
    if mine is not None and theirs is not None:
        assert abs(mine - theirs) < 1e-9


def test_starts_of_words_and_whole_words_come_first() -> None:
    titles = ["Show or hide scores", "Full screen", "Find an action", "One frame on", "Light or dark"]
    rows = [(title, (title,)) for title in titles]
    assert ranked("fs", rows)[0] == "Full screen"
    assert ranked("dark", rows) == ["Light or dark"]
    assert ranked("", rows) == titles
    assert ranked("xyz", rows) == []
