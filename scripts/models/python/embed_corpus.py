"""Texts that nearfield-embed learns from: open files only, nothing that any dev or test split holds."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from data import rows

MOST_WORDS = 180
"""Longer texts are cut here, so that no encoder truncates during training."""
LONG_WORDS = 45
"""Texts above this are passages."""

# (file, what "source", "dataset" or "task" starts with, field, most texts). None takes all.
ENGLISH: tuple[tuple[str, str, str, int | None], ...] = (
    ("sts.jsonl.gz", "stsb", "a", None),
    ("sts.jsonl.gz", "stsb", "b", None),
    ("intent.jsonl.gz", "banking77", "text", None),
    ("intent.jsonl.gz", "clinc150", "text", None),
    ("intent.jsonl.gz", "hwu64", "text", None),
    ("intent.jsonl.gz", "snips", "text", 5000),
    ("exact.jsonl.gz", "boolq", "question", None),
    ("exact.jsonl.gz", "openbookqa", "question", None),
    ("exact.jsonl.gz", "arc", "question", None),
    ("exact.jsonl.gz", "gsm8k", "question", 3000),
    ("pairs.jsonl.gz", "gptcache-mock", "a", None),
    ("pairs.jsonl.gz", "gptcache-mock", "b", None),
    ("text_en.jsonl.gz", "common-voice", "text", 20000),
    ("text_en.jsonl.gz", "wiki-split", "text", 30000),
    ("text_en.jsonl.gz", "masc", "text", 16000),
    ("text_en.jsonl.gz", "movie_reviews", "text", 6000),
    ("text_en.jsonl.gz", "product_reviews", "text", 4000),
    ("text_en.jsonl.gz", "sentence_polarity", "text", 2000),
    ("text_en.jsonl.gz", "state_union", "text", 3000),
    ("text_en.jsonl.gz", "clinc-wiki", "text", None),
    ("text_en.jsonl.gz", "p3/", "text", None),
    ("instruct.jsonl.gz", "scitldr", "prompt", None),
    ("instruct.jsonl.gz", "self-instruct", "prompt", None),
)
PARALLEL: tuple[tuple[str, int | None], ...] = (("stsb", None), ("python-docs", 9000))
"""(source prefix, most pairs a language)."""


@dataclass(frozen=True)
class Text:
    text: str
    lang: str
    target: int
    """Row of the English text whose teacher vector this one should get; its own row when English."""


PROMPT = re.compile(r"^Summarize in one sentence:\s+")
"""Stands before every abstract of scitldr and says nothing about it."""


def cut(text: str) -> str:
    return " ".join(PROMPT.sub("", text).split()[:MOST_WORDS])


def origin(row: dict) -> str:
    return str(row.get("source") or row.get("dataset") or row.get("task") or "")


def held_out(folder: Path) -> set[str]:
    """Every sentence of a dev split, in any language: what the model is measured on is never trained on."""
    out: set[str] = set()
    for row in rows(folder / "sts.jsonl.gz"):
        if row["split"] == "dev":
            out |= {cut(row["a"]), cut(row["b"])}
    for row in rows(folder / "intent.jsonl.gz"):
        if row["split"] == "dev":
            out.add(cut(row["text"]))
    return out


def english(folder: Path, skip: set[str], rng: random.Random) -> list[str]:
    cache: dict[str, list[dict]] = {}
    texts: dict[str, None] = {}
    for file, prefix, field, most in ENGLISH:
        table = cache.setdefault(file, list(rows(folder / file)))
        found = [
            cut(row[field])
            for row in table
            if origin(row).startswith(prefix) and row.get("lang", "en") == "en" and row.get("split", "train") == "train"
        ]
        found = [text for text in dict.fromkeys(found) if text and text not in skip]
        texts.update(dict.fromkeys(found if most is None else rng.sample(found, min(most, len(found)))))
    return list(texts)


def translations(folder: Path, skip: set[str], rng: random.Random) -> list[tuple[str, str, str]]:
    """(language, English, translation)."""
    by_group: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for row in rows(folder / "parallel.jsonl.gz"):
        prefix = next(p for p, _ in PARALLEL if row["source"].startswith(p))
        fits = max(len(row["en"].split()), len(row["x"].split())) <= 40
        if fits and cut(row["en"]) not in skip and cut(row["x"]) not in skip:
            by_group.setdefault((row["lang"], prefix), []).append((row["lang"], cut(row["en"]), cut(row["x"])))
    out: list[tuple[str, str, str]] = []
    for (_, prefix), pairs in sorted(by_group.items()):
        most = dict(PARALLEL)[prefix]
        out += pairs if most is None else rng.sample(pairs, min(most, len(pairs)))
    return out


def urgency(text: str, translations: int) -> float:
    share = {0: 1.0, 1: 0.6}.get(translations, 0.35)
    return share * (1.6 if 35 < len(text.split()) <= LONG_WORDS else 1.0)


def build_corpus(folder: Path, seed: int = 7) -> list[Text]:
    rng = random.Random(seed)
    skip = held_out(folder)
    pairs = translations(folder, skip, rng)
    base = list(dict.fromkeys([*english(folder, skip, rng), *(en for _, en, _ in pairs)]))
    translated = Counter(en for _, en, _ in pairs)
    # A run cut short has seen the texts that teach most a second: translated, not long.
    base.sort(key=lambda text: rng.random() * urgency(text, translated[text]))
    at = {text: row for row, text in enumerate(base)}
    corpus = [Text(text, "en", row) for row, text in enumerate(base)]
    seen = set(base)
    for lang, en, x in pairs:
        if x not in seen:
            seen.add(x)
            corpus.append(Text(x, lang, at[en]))
    return corpus


def load_corpus(folder: Path, work: Path) -> list[Text]:
    """The corpus, written once to work/corpus.jsonl so that a resumed run sees the same rows."""
    path = work / "corpus.jsonl"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(text.__dict__, ensure_ascii=False) for text in build_corpus(folder)]
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return [Text(**row) for row in rows(path)]
