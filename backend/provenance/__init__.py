"""Signed marks that say how a video was made, and checking them.

- `keys`: KeyRing: this user's signing key, and the public keys of others that they trust.
- `mark`: what a mark says, as a JSON Web Signature.
- `check`: whether a file is what its mark says, in a sentence.
"""

from backend.provenance.check import EXIT_CODES, Finding, check_file
from backend.provenance.keys import KeyRing, PublicKey, Signer
from backend.provenance.mark import Mark, comment_of, make_mark, read_mark

__all__ = [
    "EXIT_CODES",
    "Finding",
    "KeyRing",
    "Mark",
    "PublicKey",
    "Signer",
    "check_file",
    "comment_of",
    "make_mark",
    "read_mark",
]
