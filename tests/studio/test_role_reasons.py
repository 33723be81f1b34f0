"""Why a role is not ready, in a Chinese window: in Chinese, with its commands, settings and places as they are typed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.models import MODELS
from backend.models.outgoing import AllowedEndpoints
from backend.recipes import doctor_of
from backend.settings import ProjectSettings
from studio.sentences import translated
from studio.texts import use_language

TYPED = re.compile(
    r"""`[^`]+`|'[^']*'|"[^"]+"|(?:models|roles)\.\w+(?: = [\w| ]+(?= in ))?|pip install \S+|studio-backend .+|\w+ = true|\S+://[^\s,;]+"""
)
"""What is typed as it stands: commands, quoted places, names of settings and what is set."""


@pytest.fixture(autouse=True)
def chinese() -> Iterator[None]:
    use_language("zh")
    yield
    use_language("en")


def endpoint(url: str) -> ProjectSettings:
    return ProjectSettings(roles={"Judge": "openai"}, models={"Judge": f"openai:m@{url}"})


PROJECTS = {
    "embedded": ProjectSettings(),
    "paper": ProjectSettings(profile="paper"),
    "no folder": ProjectSettings(profile="paper", models=dict.fromkeys(MODELS, "/nowhere/weights")),
    "not in the cache": ProjectSettings(profile="paper", models=dict.fromkeys(MODELS, "hub:some/one")),
    "endpoint that nobody allowed": endpoint("https://elsewhere/v1"),
    "endpoint that is none": endpoint("ftp://elsewhere/v1"),
    "endpoint without encryption": endpoint("http://elsewhere/v1"),
    "endpoint of a project that sends nothing": endpoint("https://allowed/v1"),
}


@pytest.mark.parametrize("name", PROJECTS)
def test_reasons_are_in_chinese_and_what_is_typed_stays(name: str) -> None:
    AllowedEndpoints().allow("https://allowed/v1")
    reasons = [row.reason for row in doctor_of(PROJECTS[name]).roles.values() if row.reason]
    assert reasons
    for reason in reasons:
        said = translated(reason)
        typed = TYPED.findall(reason)
        assert typed and all(part in said for part in typed), said
        assert re.search("[一-鿿]", said), said
        assert not re.search(r"[A-Za-z]+(?: [a-z]+){2,}", TYPED.sub("", said)), said


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    place = tmp_path / "dino v2"
    settings = ProjectSettings(roles={"AppearanceEmbedder": "dinov2"}, models={"AppearanceEmbedder": str(place)})
    reason = doctor_of(settings).roles["AppearanceEmbedder"].reason
    assert translated(reason) == f"models.AppearanceEmbedder = '{place}' 不存在；请把权重放到那里"
