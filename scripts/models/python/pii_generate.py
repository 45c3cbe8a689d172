"""Generated examples: templates and forms filled by the slots, then made untidy as people's text is.

An example is a list of (text, label) segments: a label of LABELS, None for text that is nobody's, UNSURE for text
the loss must not look at.
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import pii_words as words
from pii_forms import FIELDS, TITLES as FORM_TITLES
from pii_slots import PERSONAL, PUBLIC

UNSURE = "?"
Segment = tuple[str, str | None]
LANGS = ("en", "es", "pt")
SHARE = {"en": 0.46, "es": 0.29, "pt": 0.25}

CHOICE = re.compile(r"<([^<>]*)>")
SLOT = re.compile(r"\{(\w+)\}")


@cache
def templates(lang: str) -> tuple[str, ...]:
    path = Path(__file__).parent / "pii_templates" / f"{lang}.txt"
    lines = path.read_text("utf-8").splitlines()
    return tuple(line.replace("\\n", "\n") for line in lines if line and not line.startswith("# "))


def choose(rng: random.Random, text: str) -> str:
    while (match := CHOICE.search(text)) is not None:
        text = text[: match.start()] + rng.choice(match.group(1).split("|")) + text[match.end() :]
    return text


def fill(rng: random.Random, lang: str, template: str) -> list[Segment]:
    segments: list[Segment] = []
    at = 0
    chosen = choose(rng, template)
    for match in SLOT.finditer(chosen):
        segments.append((chosen[at : match.start()], None))
        segments.append(slot(rng, lang, match.group(1)))
        at = match.end()
    segments.append((chosen[at:], None))
    return [segment for segment in segments if segment[0]]


def slot(rng: random.Random, lang: str, name: str) -> Segment:
    if name in PERSONAL:
        label, make = PERSONAL[name]
        # A reader of one language meets the other two as well.
        spoken = lang if rng.random() < 0.94 else rng.choice(LANGS)
        return make(rng, spoken), label
    return PUBLIC[name](rng, lang), None


def form(rng: random.Random, lang: str) -> list[Segment]:
    """Lines of field and value, in a random order, with one way of separating them."""
    fields = rng.sample(FIELDS[lang], k=min(len(FIELDS[lang]), rng.randint(2, 9)))
    colon = rng.choice((": ", ": ", ":", " : ", " - ", "\t", " = ", " ", ":\n"))
    end = rng.choice(("\n", "\n", "\n", "; ", ", ", " | ", ".\n", " "))
    mark = rng.choice(("", "", "", "- ", "* ", "• "))
    case = rng.choice((str, str, str, str.upper, str.lower, str.title))
    segments: list[Segment] = []
    if rng.random() < 0.3:
        segments.append((rng.choice(FORM_TITLES[lang]) + rng.choice(("\n", "\n\n", ": ")), None))
    for labels, names in fields:
        segments.append((mark + case(rng.choice(labels)) + colon, None))
        if rng.random() < 0.05:
            segments.append((rng.choice(("N/A", "-", "", "?", "n/d")) + end, None))
            continue
        segments += [slot(rng, lang, rng.choice(names)), (end, None)]
    return [segment for segment in segments if segment[0]]


def table(rng: random.Random, lang: str) -> list[Segment]:
    """Rows of a CSV with a header."""
    fields = rng.sample(FIELDS[lang], k=rng.randint(2, 5))
    comma = rng.choice((",", ";", "\t", " | ", ", "))
    segments: list[Segment] = [(comma.join(rng.choice(labels) for labels, _ in fields) + "\n", None)]
    for _ in range(rng.randint(1, 4)):
        for at, (_, names) in enumerate(fields):
            segments += [slot(rng, lang, rng.choice(names)), (comma if at < len(fields) - 1 else "\n", None)]
    return segments


def listing(rng: random.Random, lang: str) -> list[Segment]:
    """People, places or things one after another: only the words themselves tell."""
    kind = rng.choice(("person", "name", "name", "short", "first", "city", "place", "org", "product", "disease", "drug", "date", "lastfirst", "country", "job"))
    comma = rng.choice((", ", ", ", "\n", "; ", " / ", "\n- ", " "))
    segments: list[Segment] = []
    count = rng.randint(1, 6)
    for at in range(count):
        joint = f" {words.AND[lang]} " if at == count - 2 and comma == ", " else comma
        segments += [slot(rng, lang, kind), (joint if at < count - 1 else "", None)]
    return [segment for segment in segments if segment[0]]


def one(rng: random.Random, lang: str) -> list[Segment]:
    roll = rng.random()
    if roll < 0.72:
        return fill(rng, lang, rng.choice(templates(lang)))
    if roll < 0.88:
        return form(rng, lang)
    if roll < 0.93:
        return table(rng, lang)
    return listing(rng, lang)


def pick_lang(rng: random.Random) -> str:
    return rng.choices(LANGS, [SHARE[lang] for lang in LANGS])[0]


# ---------------------------------------------------------------- untidiness

KEYS = {"a": "sq", "e": "wr", "i": "uo", "o": "ip", "u": "yi", "n": "bm", "r": "et", "s": "ad", "t": "ry", "l": "k", "m": "n", "c": "xv"}


def typo(rng: random.Random, text: str) -> str:
    letters = [at for at, c in enumerate(text) if c.isalpha()]
    if len(letters) < 4:
        return text
    at = rng.choice(letters[1:])
    kind = rng.random()
    if kind < 0.3:
        return text[:at] + text[at + 1 :]
    if kind < 0.6 and at + 1 < len(text) and text[at + 1].isalpha():
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind < 0.8:
        return text[:at] + text[at] + text[at:]
    return text[:at] + rng.choice(KEYS.get(text[at].lower(), "aeiou")) + text[at + 1 :]


KEEPS_CASE = {"secret", "email", "url", "username"}


def cased(segments: list[Segment], how, labels: set[str | None] | None = None) -> list[Segment]:  # noqa: ANN001
    return [
        (how(text) if label not in KEEPS_CASE and (labels is None or label in labels) else text, label)
        for text, label in segments
    ]


NAMES = {"person", "location", "organization", "address", "date"}


def untidy(rng: random.Random, segments: list[Segment]) -> list[Segment]:
    roll = rng.random()
    if roll < 0.15:
        segments = cased(segments, str.lower)
    elif roll < 0.205:
        segments = cased(segments, str.upper)
    elif roll < 0.24:
        segments = cased(segments, str.lower, NAMES)
    elif roll < 0.275:
        segments = cased(segments, str.upper, {"person", "organization"})
    elif roll < 0.29:
        segments = cased(segments, str.title)
    if rng.random() < 0.12:
        segments = [(typo(rng, text) if (label is None or label in NAMES) and rng.random() < 0.4 else text, label) for text, label in segments]
    if rng.random() < 0.1:
        segments = [(text.rstrip(".?!:") if label is None and text.strip(".?!: ") else text, label) for text, label in segments]
    if rng.random() < 0.06:
        segments = [(re.sub(r"[,;.:]", "", text) or " ", None) if label is None else (text, label) for text, label in segments]
    if rng.random() < 0.03:
        segments = [(text.replace(" ", "  ") if label is None else text, label) for text, label in segments]
    if rng.random() < 0.05:
        segments = [(text.replace(" ", "\n", 1) if label is None and rng.random() < 0.3 else text, label) for text, label in segments]
    if rng.random() < 0.05:
        # As tokenised corpora and PDF extraction write it.
        segments = [(re.sub(r"([,;:().?!])", r" \1 ", text) if label is None else text, label) for text, label in segments]
    return segments
