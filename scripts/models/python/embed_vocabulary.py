"""nearfield-embed's WordPiece vocabulary: the teacher's common pieces, and Spanish and Portuguese ones.

The normaliser and word splitter stay the teacher's, so a word is the same stretch of text to both.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, trainers

from data import rows
from teacher import make_tokenizer, teacher_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NEW_PIECES = 7_000


def piece_counts(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False):
        counts.update(encoding.tokens)
    return counts


def romance_pieces(texts: list[str], teacher: dict[str, int], most: int) -> list[str]:
    """Pieces learnt from Spanish and Portuguese that the teacher lacks, most frequent first."""
    learner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    base = make_tokenizer(teacher_tokenizer(), 512)
    learner.normalizer, learner.pre_tokenizer = base.normalizer, base.pre_tokenizer
    trainer = trainers.WordPieceTrainer(
        vocab_size=3 * most, min_frequency=5, special_tokens=SPECIAL, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    counts = piece_counts(learner, texts)
    return [piece for piece, _ in counts.most_common() if piece not in teacher][:most]


def is_latin(piece: str) -> bool:
    """Of letters before the International Phonetic Alphabet's block, or a special token; not a reserved slot."""
    return not piece.startswith("[unused") and all(ord(char) < 0x250 for char in piece)


def choose_pieces(romance: list[str]) -> list[str]:
    """Every Latin piece of the teacher, in its order, then NEW_PIECES learnt from Spanish and Portuguese."""
    teacher: dict[str, int] = teacher_tokenizer()["model"]["vocab"]
    return [*filter(is_latin, teacher), *romance_pieces(romance, teacher, NEW_PIECES)]


def student_tokenizer(data: Path, work: Path) -> dict[str, object]:
    """tokenizer.json as an object; chosen once and kept in `work`."""
    path = work / "tokenizer.json"
    if not path.exists():
        romance = [row["x"] for row in rows(data / "parallel.jsonl.gz")]
        romance += [row["text"] for lang in ("es", "pt") for row in rows(data / f"text_{lang}.jsonl.gz")]
        pieces = choose_pieces(romance)
        definition = copy.deepcopy(teacher_tokenizer())
        vocab = {piece: at for at, piece in enumerate(pieces)}
        definition["model"]["vocab"] = vocab
        for token in definition["added_tokens"]:
            token["id"] = vocab[token["content"]]
        for name, special in definition["post_processor"]["special_tokens"].items():
            special["ids"] = [vocab[name]]
        path.write_text(json.dumps(definition, ensure_ascii=False), "utf-8")
    return json.loads(path.read_text("utf-8"))


def alignment(pairs: list[tuple[list[int], list[int]]], sizes: tuple[int, int], rounds: int = 4) -> NDArray:
    """IBM model 1 by expectation maximisation. Returns unique (x, en, p(en | x)) rows.

    Source: Brown et al. 1993, The mathematics of statistical machine translation.
    """
    left = np.concatenate([np.repeat(x, len(en)) for en, x in pairs]).astype(np.int64)
    right = np.concatenate([np.tile(en, len(x)) for en, x in pairs]).astype(np.int64)
    # Each English occurrence shares one count among the x pieces of its pair.
    occurrence = np.concatenate(
        [np.tile(np.arange(len(en)), len(x)) + base for (en, x), base in zip(pairs, offsets(pairs), strict=True)]
    )
    keys, inverse = np.unique(left * sizes[0] + right, return_inverse=True)
    x_of, en_of = keys // sizes[0], keys % sizes[0]
    p = np.ones(len(keys))
    for _ in range(rounds):
        weight = p[inverse]
        weight /= np.bincount(occurrence, weight)[occurrence]
        counts = np.bincount(inverse, weight, len(keys))
        p = counts / np.bincount(x_of, counts, sizes[1])[x_of]
    return np.stack([x_of, en_of, p], axis=1)


def offsets(pairs: list[tuple[list[int], list[int]]]) -> NDArray:
    return np.concatenate([[0], np.cumsum([len(en) for en, _ in pairs])[:-1]])


def word_table(teacher: NDArray, definition: dict[str, object], data: Path, work: Path) -> NDArray:
    """Initial word rows, computed once and kept in `work`."""
    path = work / "words.npy"
    if not path.exists():
        np.save(path, translated_rows(teacher, definition, data))
    return np.load(path)


def translated_rows(teacher: NDArray, definition: dict[str, object], data: Path) -> NDArray:
    """The teacher's row where it has the piece, else the mean of the piece's likely translations."""
    ours: dict[str, int] = definition["model"]["vocab"]
    theirs: dict[str, int] = teacher_tokenizer()["model"]["vocab"]
    table = np.tile(teacher.mean(axis=0), (len(ours), 1)).astype(np.float32)
    tokenizer, base = make_tokenizer(definition, 64), make_tokenizer(teacher_tokenizer(), 64)
    found = [row for row in rows(data / "parallel.jsonl.gz") if len(row["en"].split()) <= 30]
    en = base.encode_batch([row["en"] for row in found], add_special_tokens=False)
    x = tokenizer.encode_batch([row["x"] for row in found], add_special_tokens=False)
    pairs = [(a.ids, b.ids) for a, b in zip(en, x, strict=True) if a.ids and b.ids]
    sums, weights = np.zeros_like(table), np.zeros(len(ours))
    lexicon = alignment(pairs, (len(theirs), len(ours)))
    lexicon = lexicon[lexicon[:, 2] > 0.02]
    np.add.at(sums, lexicon[:, 0].astype(int), lexicon[:, 2:] * teacher[lexicon[:, 1].astype(int)])
    np.add.at(weights, lexicon[:, 0].astype(int), lexicon[:, 2])
    seen = weights > 0
    table[seen] = sums[seen] / weights[seen, None]
    for piece, at in ours.items():
        if piece in theirs:
            table[at] = teacher[theirs[piece]]
        elif not seen[at]:
            ids = base.encode(piece.removeprefix("##"), add_special_tokens=False).ids
            table[at] = teacher[ids].mean(axis=0) if ids else table[at]
    return table
