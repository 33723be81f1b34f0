"""An item whose answer is taken back is leased to its rater again, unless somebody else has it by then."""

from dataclasses import replace

from backend.api import Api
from backend.domain import VERIFY_STUDY, Trial
from tests.backend.workspace.test_api import vote_on
from tests.backend.workspace.test_half_answered import context_of, waiting


def is_free(api: Api, trial: Trial) -> bool:
    return trial.item_id in waiting(api, rater="eve")


def test_what_is_taken_back_is_its_raters_again(curated_api: Api) -> None:
    (first,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    different = vote_on(first, "different")
    curated_api.submit_votes(votes=(different,))
    withdrawal = replace(different, rev=1, choice=None)
    curated_api.submit_votes(votes=(withdrawal,))
    assert not is_free(curated_api, first), "ann thinks again"
    curated_api.submit_votes(votes=(different, withdrawal))
    assert not is_free(curated_api, first), "votes that are sent again change no lease"
    curated_api.submit_votes(votes=(replace(different, rev=2),))
    curated_api.submit_votes(votes=(withdrawal,))
    assert curated_api.renew_leases(study_id=VERIFY_STUDY, rater="ann", items=(first.item_id,)) == ()
    assert is_free(curated_api, first)


def test_what_is_answered_anew_in_one_call_with_its_withdrawal_stays_until_its_last_question(curated_api: Api) -> None:
    (first,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    different = vote_on(first, "different")
    curated_api.submit_votes(votes=(different,))
    curated_api.submit_votes(votes=(replace(different, rev=1, choice=None), replace(different, rev=2, choice="same")))
    assert not is_free(curated_api, first)
    curated_api.submit_votes(votes=(context_of(first),))
    assert is_free(curated_api, first)


def test_what_another_took_meanwhile_stays_theirs_and_both_words_count(curated_api: Api) -> None:
    (first,) = curated_api.next_trials(study_id=VERIFY_STUDY, rater="ann", limit=1)
    different = vote_on(first, "different")
    curated_api.submit_votes(votes=(different,))
    assert first.item_id in waiting(curated_api, rater="bob")
    curated_api.submit_votes(votes=(replace(different, rev=1, choice=None),))
    for rater, held in (("bob", (first.item_id,)), ("ann", ())):
        assert curated_api.renew_leases(study_id=VERIFY_STUDY, rater=rater, items=(first.item_id,)) == held
    curated_api.submit_votes(votes=(replace(different, rev=2), vote_on(first, "different", rater="bob")))
    row = curated_api.pair(pair_id=first.item_id)
    assert (row.status, row.verdict, row.num_votes) == ("agreed", "different", 2)
