"""The matcher against sentences answered by hand: every noun it should find, and nothing else."""

import pytest

from backend.models.taxonomy import load_taxonomy
from tests.backend.models.answered import FILES, answered_sentences, compare

SENTENCES: list[tuple[str, str]] = [
    # Whole words only
    ("Many commands of the performance stand in the manual.", ""),
    ("The management demanded a manifest of the humanities.", ""),
    ("A carpet salesman scans the catalog.", "salesman:man"),
    ("The category of the operation is dogmatic.", ""),
    ("The scarf lies in the carriage.", "scarf:scarf carriage:cart"),
    # Plurals
    ("Two women talk while three men listen.", "women:woman+ men:man+"),
    ("Children chase geese across the lawn.", "Children:child+ geese:duck+ lawn:grassland"),
    ("Wolves and foxes roam the valley.", "Wolves:wild_dog+ foxes:wild_dog+ valley:mountain"),
    ("People sit on benches near the cherries.", "People:person+ benches:chair+ cherries:fruit+"),
    ("The firemen carried the babies.", "firemen:man+ babies:baby+"),
    ("Knives and shelves", "Knives:cutlery+ shelves:cabinet+"),
    ("Three sheep graze beside a deer.", "sheep:sheep+ deer:deer"),
    ("Several fish swim past one fish.", "fish:fish+ fish:fish"),
    ("He takes off his sunglasses and jeans.", "sunglasses:glasses jeans:pants"),
    ("A pair of red shoes and a pair of boots", "shoes:shoe+ boots:shoe"),
    ("Slices of bread and bottles of wine", "Slices of bread:bread+ bottles of wine:drink+"),
    ("A crowd watches a family with a couple.", "crowd:person+ family:person+ couple:person+"),
    # Longest match
    ("A teddy bear sits next to a polar bear.", "teddy bear:teddy_bear polar bear:bear"),
    ("A fire truck passes the fire station.", "fire truck:truck fire station:station"),
    ("She plays tennis with a tennis racket.", "tennis racket:sports_equipment"),
    ("The tennis player drinks a cup of coffee.", "tennis player:athlete cup of coffee:drink"),
    ("A hot air balloon rises above the rice field.", "hot air balloon:airplane rice field:grassland"),
    ("A double-decker bus stops at the bus stop.", "double-decker bus:bus bus stop:shop"),
    ("A baby elephant follows its mother.", "baby elephant:elephant mother:woman"),
    ("An old teapot on a coffee table", "teapot:pot coffee table:table"),
    ("A T-shirt and a t shirt", "T-shirt:shirt t shirt:shirt"),
    # Phrases that mean something else
    ("The hot dog lies beside the mouse pad.", "hot dog:sandwich"),
    ("A person of interest was mentioned.", ""),
    ("A shallow depth of field blurs the background.", ""),
    ("The camera zooms in slowly and the camera angle changes.", ""),
    ("The camera pans to show two pans.", "pans:pot+"),
    ("A static camera captures a vintage camera.", "vintage camera:camera"),
    ("He is a movie star and a role model.", "movie star:performer"),
    ("The lion dance starts at the zebra crossing.", "zebra crossing:street"),
    ("Peanut butter and a butter knife", "butter knife:cutlery"),
    ("A guinea pig and a sea lion", "guinea pig:rodent sea lion:fish"),
    ("The steps of the staircase", "steps:wall staircase:wall"),
    ("She steps into the room.", "room:living_room"),
    # Verb or noun
    ("The man watches TV.", "man:man TV:monitor"),
    ("A silver watch and two rings", "watch:watch rings:jewelry+"),
    ("She trains hard and boards the train.", "train:train"),
    ("They book a hotel room and read the book.", "hotel room:living_room book:book"),
    ("The girl waves to her father.", "girl:girl father:man"),
    ("Big waves hit the pier.", "waves:sea pier:sea"),
    ("A chef cooks; the cook smiles.", "chef:worker cook:worker"),
    ("The sun rose over the rose garden.", "sun:sky garden:park"),
    ("He can park the car in the park.", "car:car park:park"),
    ("The woman plants a tree next to a potted plant.", "woman:woman tree:tree potted plant:house_plant"),
    ("A boy ducks under the table while a duck swims.", "boy:boy table:table duck:duck"),
    ("She dresses her daughter in a white dress.", "daughter:woman dress:dress"),
    ("He saw a saw.", "saw:tool"),
    ("The dogs bark at the seal.", "dogs:dog+ seal:fish"),
    ("They fish from a boat and phone a friend.", "boat:boat friend:person"),
    # Colour or thing
    ("An orange cat sleeps on an orange sofa.", "cat:cat sofa:sofa"),
    ("He peels an orange and a lime.", "orange:fruit lime:fruit"),
    ("A woman in orange holds a rose.", "woman:woman rose:flower"),
    ("A glass table with a glass of water and a glass", "glass table:table glass of water:drink glass:cup"),
    # A noun that modifies the next
    ("The kitchen table has a teapot.", "kitchen table:table teapot:pot"),
    ("A leather jacket and a city bus", "leather jacket:jacket city bus:bus"),
    ("The dog owner holds a dog leash.", ""),
    ("A chocolate cake on a street corner", "chocolate cake:cake"),
    ("A school bus near the car door", "school bus:bus"),
    ("The dog-friendly cafe has horse-drawn carriages.", "cafe:shop horse-drawn carriages:cart+"),
    # Possessives, punctuation, case, other scripts
    ("The man's hat and the women's scarves", "man:man hat:hat women:woman+ scarves:scarf+"),
    ("DOG. Cat! Horse?", "DOG:dog Cat:cat Horse:horse"),
    ("A dog, cat and bird", "dog:dog cat:cat bird:bird"),
    ("A café in Paris", "café:shop"),
    ("一只狗", "狗:dog"),
    ("", ""),
    # Everyday captions
    (
        "A woman in a blue top with a necklace sits on the grass.",
        "woman:woman top:shirt necklace:jewelry grass:grassland",
    ),
    (
        "A young man wearing glasses writes with a pen at a wooden desk.",
        "young man:man glasses:glasses pen:pen desk:table",
    ),
    (
        "The robot is holding a cupcake in front of a white background.",
        "robot:robot cupcake:cake white background:wall",
    ),
    (
        "A soccer player kicks the ball on a football field in the stadium.",
        "soccer player:athlete ball:ball football field:grassland stadium:stage",
    ),
    (
        "Two cats with boxing gloves fight in a boxing ring.",
        "cats:cat+ boxing gloves:glove+ boxing ring:stage",
    ),
    (
        "A black swan glides on the lake near a stone bridge.",
        "black swan:duck lake:river stone bridge:bridge",
    ),
    (
        "A little girl and a boy jump on the bed beside a lamp.",
        "little girl:girl boy:boy bed:bed lamp:lamp",
    ),
    (
        "The painter stands at an easel; her husband reads a newspaper on the sofa.",
        "painter:worker easel:painting husband:man newspaper:book sofa:sofa",
    ),
    (
        "A surfer carries a surfboard along the beach at sunset.",
        "surfer:athlete surfboard:sports_equipment beach:beach sunset:sky",
    ),
    ("An astronaut in a spacesuit walks on the moon.", "astronaut:worker spacesuit:suit moon:sky"),
    (
        "A chef cuts tomatoes and onions with a kitchen knife.",
        "chef:worker tomatoes:vegetable+ onions:vegetable+ kitchen knife:cutlery",
    ),
    ("The pianist plays a grand piano on the stage.", "pianist:performer grand piano:piano stage:stage"),
    ("A toy penguin and a penguin", "toy penguin:toy penguin:bird"),
    ("Steam rises from the mug on the windowsill.", "Steam:fire mug:cup"),
    ("A motorcycle is parked in front of an old brick building.", "motorcycle:motorcycle brick building:building"),
    ("A butterfly lands on a sunflower.", "butterfly:insect sunflower:flower"),
]


@pytest.mark.parametrize(("sentence", "answer"), SENTENCES)
def test_the_matcher_finds_what_a_reader_finds(sentence: str, answer: str) -> None:
    found = [
        f"{sentence[match.start : match.stop]}:{match.category.id}{'+' if match.is_plural else ''}"
        for match in load_taxonomy().find(sentence)
    ]
    assert " ".join(found) == answer


@pytest.mark.parametrize(("language", "num"), [("en", 300), ("zh", 100)])
def test_matches_of_hand_answered_captions_are_right(language: str, num: int) -> None:
    answered = answered_sentences(FILES[language])
    assert len(answered) >= num
    known = load_taxonomy().categories
    assert [one.text for one in answered if not {name for _, name in one.nouns} <= known.keys()] == []
    found = compare(answered)
    assert found.precision >= 0.98, found.faults
    assert found.recall >= 0.95, found.faults


def test_answers_stand_where_the_marks_stood() -> None:
    first = answered_sentences(FILES["en"])[0]
    assert first.text == "A man in a blue shirt walks his dog along the beach."
    assert first.nouns == {(5, "man"), (21, "shirt"), (35, "dog"), (51, "beach")}


@pytest.mark.parametrize("word", ["many", "command", "performance", "manual", "human-made", "man-made"])
def test_a_word_that_only_holds_a_form_is_not_found(word: str) -> None:
    assert load_taxonomy().find(f"a {word} thing") == []
