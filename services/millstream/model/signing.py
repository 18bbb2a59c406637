"""Ed25519 over a manifest: the trainer signs, the workers need only the public key. A second pair
is for letters that are sent again: who may sign those need not be able to sign models."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from millstream.domain.errors import OperatorError

PRIVATE_NAME = "model-signing.key"
PUBLIC_NAME = "model-signing.pub"


class Pair(NamedTuple):
    """Names of its files."""

    private: str
    public: str


MODELS = Pair(PRIVATE_NAME, PUBLIC_NAME)
LETTERS = Pair("letter-signing.key", "letter-signing.pub")
_REMEDY = "Run `millstream init` once, and let trainer and recommenders read its keys_dir"


def create_keys(directory: Path, pair: Pair = MODELS) -> bool:
    """Makes the pair where it is missing; true if it did. A second call changes nothing, and of
    two at the same time one wins. The private key can be read by its owner alone."""
    directory.mkdir(parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    made = _write_once(directory / pair.private, pem, 0o600)
    public = load_private_key(directory, pair).public_key()
    _write_once(
        directory / pair.public,
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        0o644,
    )
    return made


def copy_public_key(source: Path, target: Path, pair: Pair = MODELS) -> None:
    """For those that may not see `source`; a second call changes nothing. Raises OperatorError
    where `target` holds another key, or a private one."""
    target.mkdir(parents=True, exist_ok=True)
    _write_once(target / pair.public, _read(source / pair.public), 0o644)
    differ = load_public_key(target, pair) != load_public_key(source, pair)
    if differ or (target / pair.private).exists():
        raise OperatorError(
            "the folder of the public key",
            f"{target}, which holds another key",
            "the public key alone",
            f"Take {pair.private} and {pair.public} out of it and run `millstream init` again",
        )


def load_private_key(directory: Path, pair: Pair = MODELS) -> Ed25519PrivateKey:
    """Raises OperatorError where it is missing, not Ed25519, or open to others."""
    path = directory / pair.private
    pem = _read(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise OperatorError("the signing key", "a file others can read", "mode 0600")
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError("the signing key", f"{path}", "an Ed25519 key in PEM", _REMEDY)
    return key


def load_public_key(directory: Path, pair: Pair = MODELS) -> Ed25519PublicKey:
    """Raises OperatorError where it is missing or not Ed25519."""
    path = directory / pair.public
    pem = _read(path)
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise OperatorError("the public signing key", f"{path}", "an Ed25519 key in PEM", _REMEDY)
    return key


def letter_key(directory: Path) -> Ed25519PrivateKey | None:
    """What letters are signed with: the models' key where `init` made none for letters yet. None
    where there is neither; raises as load_private_key."""
    for pair in (LETTERS, MODELS):
        if (directory / pair.private).exists():
            return load_private_key(directory, pair)
    return None


def known_letter_key(home: Path, directory: Path) -> Ed25519PrivateKey | None:
    """`letter_key` of `home`. Raises OperatorError also where it is of no pair by which letters
    count in `directory`, the keys of those who judge them: what it signs would be as unsigned."""
    key = letter_key(home)
    if key is not None and key.public_key() not in letters_judged_by(directory):
        raise OperatorError(
            "the key that signs letters",
            f"one in {home} whose public half is not in {directory}",
            f"its {LETTERS.public} there, and in the keys folder of each recommender",
            "Run `millstream init` with both folders, or copy the public half there",
        )
    return key


def letters_judged_by(directory: Path) -> tuple[Ed25519PublicKey, ...]:
    """By whose signatures a letter counts: the models' key, and the letters' own where it stands.
    Raises as load_public_key."""
    pairs = [MODELS, *([LETTERS] if (directory / LETTERS.public).exists() else [])]
    return tuple(load_public_key(directory, pair) for pair in pairs)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"the key file {path.name}", f"{path} ({error.strerror})", "a readable file", _REMEDY
        ) from None


def _write_once(path: Path, content: bytes, mode: int) -> bool:
    """Whole or not at all, and never over a file that stands there."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".key-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True
