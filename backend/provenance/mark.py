"""A provenance mark: a claim about a video, signed, as a JSON Web Signature in compact form (RFC 7515, RFC 8037).

The signed bytes travel with the signature, so that nothing hangs on how JSON is written; any library for JWS can check it. The
header names the public key. Whether that key is somebody's whom one trusts is another question, which `check` answers.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.domain import ImportRefused
from backend.media.content import VideoContent
from backend.provenance.keys import PublicKey, Signer, decoded, encoded

FORMAT = "subject-studio-provenance/1"
ALGORITHM = "EdDSA"
DIGITAL_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media that a model made."""
TOLD = "Made by a generative model. Check with: studio-backend provenance FILE. Mark: "
"""What people read in a player's comment field before the mark."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{86}")
"""The last part is a signature of 64 bytes (RFC 8032): the name of a web site in somebody's comment is no mark."""
MAX_TOKEN = 1_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """What a token says. `is_signed`: whether the signature is that of these very bytes by `key`."""

    token: str
    key: PublicKey
    claim: Mapping[str, Any]
    is_signed: bool

    @property
    def content(self) -> VideoContent:
        """What the marked video shows. Raises ImportRefused where the claim does not say."""
        try:
            return VideoContent(**self.claim["content"])
        except (KeyError, TypeError) as error:
            raise ImportRefused("the mark does not say which video it is of") from error

    @property
    def settings(self) -> Mapping[str, Any]:
        """How the video was made, as its settings file says it."""
        found = self.claim.get("settings")
        return found if isinstance(found, Mapping) else {}


def make_mark(content: VideoContent, settings: Mapping[str, Any], signer: Signer) -> str:
    """The token of a video with this content, made with these settings."""
    claim = {
        "format": FORMAT,
        "digital_source_type": DIGITAL_SOURCE,
        "content": content.plain(),
        "settings": dict(settings),
    }
    header = {"alg": ALGORITHM, "typ": "JWS", "kid": signer.public.id, "jwk": dict(signer.public.jwk)}
    message = f"{encoded(_json(header))}.{encoded(_json(claim))}"
    return f"{message}.{encoded(signer.sign(message.encode()))}"


def comment_of(token: str) -> str:
    """The token after a sentence for people."""
    return TOLD + token


def read_mark(text: str) -> Mark | None:
    """The mark in a comment or a file; None where there is none. Raises ImportRefused for one that is damaged."""
    found = TOKEN.search(text) if len(text) <= MAX_TOKEN else None
    if found is None:
        if TOLD.strip() in text:
            raise ImportRefused("the mark is cut off")
        return None
    token = found.group()
    head, body, signature = token.split(".")
    try:
        header, claim = json.loads(decoded(head)), json.loads(decoded(body))
        key = PublicKey(decoded(header["jwk"]["x"]))
        signed = decoded(signature)
    except (ValueError, KeyError, TypeError) as error:
        raise ImportRefused(f"the mark cannot be read ({type(error).__name__})") from error
    if not isinstance(claim, dict) or claim.get("format") != FORMAT:
        raise ImportRefused(f"the mark is of another format than {FORMAT}")
    right = header.get("alg") == ALGORITHM and header.get("kid") == key.id
    return Mark(token, key, claim, right and key.verifies(signed, f"{head}.{body}".encode()))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
