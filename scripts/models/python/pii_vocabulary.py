"""The tagger's pieces and their first rows: the embedding student's vocabulary and more of the teacher's, no numbers.

Rows start as the teacher's word embeddings (means of likely translations for Spanish and Portuguese pieces), turned
onto their strongest directions.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embed_vocabulary import student_tokenizer, word_table
from pii_tokens import MOST_DIGITS
from teacher import load_teacher, teacher_tokenizer

SIZE = 26_000
SPECIAL = ["[PAD]", "[UNK]"]


def has_digit(piece: str) -> bool:
    return any(c.isdigit() for c in piece)


def numbers() -> list[str]:
    short = [str(n) for n in range(10)] + [f"{n:02d}" for n in range(100)]
    years = [str(n) for n in range(1900, 2100)]
    return [*short, *years, *(f"[D{n}]" for n in range(3, MOST_DIGITS + 1))]


def choose(ours: dict[str, int], theirs: dict[str, int]) -> list[str]:
    """Ours first, then the teacher's in its own order, frequent to rare."""
    kept = [piece for piece in ours if not piece.startswith("[") and not has_digit(piece)]
    known = set(kept)
    more = [
        piece for piece in theirs
        if piece not in known and not piece.startswith("[") and not has_digit(piece) and all(ord(c) < 0x250 for c in piece)
    ]  # fmt: skip
    pieces = [*SPECIAL, *numbers(), *kept]
    return pieces + more[: SIZE - len(pieces)]


def pii_pieces(data: Path, embed_work: Path, work: Path) -> list[str]:
    """Chosen once and kept in `work`."""
    path = work / "pieces.json"
    if not path.exists():
        ours = student_tokenizer(data, embed_work)["model"]["vocab"]
        work.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(choose(ours, teacher_tokenizer()["model"]["vocab"]), ensure_ascii=False), "utf-8")
    return json.loads(path.read_text("utf-8"))


def first_rows(pieces: list[str], width: int, data: Path, embed_work: Path) -> NDArray[np.float32]:
    """[pieces, width], each column of about unit variance times 0.05, as a fresh table would have."""
    definition = student_tokenizer(data, embed_work)
    teacher = load_teacher().embeddings["word"].weight.detach().numpy()
    table = word_table(teacher, definition, data, embed_work)
    ours, theirs = definition["model"]["vocab"], teacher_tokenizer()["model"]["vocab"]
    rows = np.tile(teacher.mean(axis=0), (len(pieces), 1)).astype(np.float32)
    for at, piece in enumerate(pieces):
        if piece in ours:
            rows[at] = table[ours[piece]]
        elif piece in theirs:
            rows[at] = teacher[theirs[piece]]
    centred = rows - rows.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    turned = centred @ directions[:, ::-1][:, :width]
    return (turned * (0.05 / turned.std())).astype(np.float32)
