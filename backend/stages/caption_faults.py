"""What is wrong with a caption that a model wrote, and in which language a text is."""

import re
import unicodedata
from collections import Counter

REFUSALS = (
    "i cannot", "i can't", "i can not", "i could not", "i couldn't", "i am unable", "i'm unable", "i am not able", "i'm not able",
    "i am sorry", "i'm sorry", "sorry,", "sorry but", "unfortunately, i", "as an ai", "as a language model", "i apologize",
    "i don't see any", "i do not see any", "i am afraid", "i'm afraid", "no video", "there is no video", "please provide",
    "对不起", "抱歉", "很抱歉", "我无法", "我不能", "无法描述", "作为一个人工智能", "作为人工智能", "作为一个ai", "作为ai", "请提供",
)  # fmt: skip
"""How chat models begin when they do not describe."""
END = re.compile(r"(?:[.!?][\"'”’)]*(?=\s|\Z)|[。！？][”’」』）]*)")
_TAGGED = re.compile(r"</?(?:think|answer|caption)>|<\|[^|<>]{1,40}\|>|\A```|```\Z")


def caption_fault(text: str, *, languages: tuple[str, ...], max_words: int) -> tuple[str, str] | None:
    """A stable word and a sentence for what makes a model's text no caption; None for a caption."""
    plain = " ".join(text.split())
    if not any(sign.isalnum() for sign in plain):
        return "caption_empty", "the captioner wrote nothing"
    lowered = plain.casefold().replace("\u2019", "'").lstrip("\"'“*# ")
    if lowered.startswith(REFUSALS):
        return "caption_refused", f"the captioner refused: {_start(plain)!r}"
    if _TAGGED.search(plain):
        return "caption_marked_up", f"the caption holds marks of the model: {_start(plain)!r}"
    words = num_words(plain)
    if words > max_words:
        return "caption_too_long", f"the caption has {words} words, at most {max_words} are one"
    language = language_of(plain)
    if language not in languages:
        return (
            "caption_script",
            f"the caption is in the script of {language}, not of {' or '.join(languages)}: {_start(plain)!r}",
        )
    return None


def whole_sentences(text: str) -> str:
    """The text up to its last whole sentence; the whole text when there is none."""
    ends = [match.end() for match in END.finditer(text)]
    return text[: ends[-1]] if ends else text


def num_words(text: str) -> int:
    """Words between blanks; Han characters, which need none, count half each."""
    han = sum("\u4e00" <= sign <= "\u9fff" for sign in text)
    return len(re.sub(r"[\u4e00-\u9fff]", " ", text).split()) + han // 2


def language_of(text: str) -> str:
    """`ja`, `ko`, `zh` by script, `und` for another script than Latin, else `en`: what lexicons and models tell apart."""
    if any("\u3040" <= sign <= "\u30ff" for sign in text):
        return "ja"
    if any("\uac00" <= sign <= "\ud7a3" for sign in text):
        return "ko"
    if any("\u4e00" <= sign <= "\u9fff" for sign in text):
        return "zh"
    scripts = Counter(unicodedata.name(sign, "?").split()[0] for sign in text if sign.isalpha())
    return "und" if scripts and scripts["LATIN"] < scripts.total() / 2 else "en"


def _start(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
