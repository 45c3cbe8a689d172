"""Real sentences for the tagger: labelled sets under an open licence, and unlabelled text read with word lists.

Unlabelled text is labelled only where lists leave no doubt: lower-case words are nobody's, two known names in a row
are a person, a large city is a place. Every other capitalised word and every long number is left out of the loss.
People's names are mostly replaced by generated ones, so that weights learn contexts and not who was written about.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from data import rows
from pii_generate import UNSURE, Segment
from pii_names import HOME, census_names, countries, locale_names, major_cities
from pii_slots import full_name, organization, person, place

MEDDOCAN = {
    **dict.fromkeys(("NOMBRE_SUJETO_ASISTENCIA", "NOMBRE_PERSONAL_SANITARIO"), "person"),
    **dict.fromkeys(("TERRITORIO", "PAIS"), "location"),
    **dict.fromkeys(("HOSPITAL", "INSTITUCION", "CENTRO_SALUD"), "organization"),
    **dict.fromkeys(("NUMERO_TELEFONO", "NUMERO_FAX"), "phone"),
    **dict.fromkeys(
        ("ID_SUJETO_ASISTENCIA", "ID_ASEGURAMIENTO", "ID_CONTACTO_ASISTENCIAL", "ID_TITULACION_PERSONAL_SANITARIO"),
        "medical-id",
    ),
    **dict.fromkeys(("ID_EMPLEO_PERSONAL_SANITARIO", "OTROS_SUJETO_ASISTENCIA"), UNSURE),
    "CALLE": "address", "FECHAS": "date", "CORREO_ELECTRONICO": "email", "EDAD_SUJETO_ASISTENCIA": "age", "URL_WEB": "url",
}  # fmt: skip
LENER = {
    "PESSOA": "person", "LOCAL": "location", "ORGANIZACAO": "organization", "TEMPO": "date",
    "LEGISLACAO": None, "JURISPRUDENCIA": UNSURE,
}  # fmt: skip


def labelled(path: Path, table: dict[str, str | None]) -> Iterator[tuple[str, list[Segment]]]:
    for row in rows(path):
        text = row["text"]
        if any(ord(c) > 0xFFFF for c in text):
            continue
        segments: list[Segment] = []
        at = 0
        for span in sorted(row["spans"], key=lambda span: (span["start"], -span["end"])):
            if span["start"] < at:
                continue
            segments.append((text[at : span["start"]], None))
            segments.append((text[span["start"] : span["end"]], table.get(span["label"])))
            at = span["end"]
        segments.append((text[at:], None))
        yield row["lang"], [segment for segment in segments if segment[0]]


WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d[\d./:-]*\d|\d|\S")
JOINTS = {"de", "da", "do", "dos", "das", "del", "la", "van", "von", "der", "y", "e", "of", "the"}


@cache
def first_names() -> frozenset[str]:
    lists = [locale_names(locale)[0] for locales in HOME.values() for locale in locales]
    return frozenset(n for names in lists for n in names) | frozenset(census_names("first")[:3000])


@cache
def last_names() -> frozenset[str]:
    lists = [locale_names(locale)[1] for locales in HOME.values() for locale in locales]
    return frozenset(n for names in lists for n in names) | frozenset(census_names("last")[:20000])


@cache
def known_places() -> frozenset[str]:
    return frozenset(major_cities(250_000)) | frozenset(c for lang in HOME for c in countries(lang))


@cache
def towns() -> frozenset[str]:
    return frozenset(major_cities(50_000)) | known_places()


class Reader:
    """Labels sentences of one language by lists."""

    def __init__(self, texts: list[str]) -> None:
        lower, upper = Counter[str](), Counter[str]()
        for text in texts:
            for at, match in enumerate(WORD.finditer(text)):
                word = match.group()
                if word.islower():
                    lower[word] += 1
                elif at > 0:
                    upper[word.lower()] += 1
        self.common = {w for w, n in lower.items() if n >= 4 and n > 3 * upper[w]}

    def read(self, rng: random.Random, lang: str, text: str) -> list[Segment]:
        found = list(WORD.finditer(text))
        uncased = text == text.lower() or text == text.upper()
        labels = [self.label_of(found, at, uncased) for at in range(len(found))]
        segments: list[Segment] = []
        at = index = 0
        while index < len(found):
            stop = index + 1
            label = labels[index]
            if label is not None:
                while stop < len(found) and (labels[stop] == label or (self.joins(found, labels, stop, label))):
                    stop += 1
            start, end = found[index].start(), found[stop - 1].end()
            if label is not None:
                segments.append((text[at:start], None))
                segments.append((text[start:end], self.whole(text[start:end], label)))
                at = end
            index = stop
        segments.append((text[at:], None))
        return [segment for segment in segments if segment[0]]

    def joins(self, found: list[re.Match[str]], labels: list[str | None], at: int, label: str) -> bool:
        return found[at].group() in JOINTS and at + 1 < len(found) and labels[at + 1] == label and label == UNSURE

    def label_of(self, found: list[re.Match[str]], at: int, uncased: bool) -> str | None:
        word = found[at].group()
        if word[0].isdigit():
            return UNSURE if sum(c.isdigit() for c in word) > 2 and not re.fullmatch(r"1\d\d\d|20\d\d", word) else None
        if not word[0].isalpha():
            return UNSURE if word in "@_/" else None
        if uncased:
            title = word.capitalize()
            known = word.lower() in self.common and title not in first_names() and title not in towns()
            return None if known else UNSURE
        if word.islower():
            return None
        starts = at == 0 or found[at - 1].group() in ".!?:\"“«-—•"
        if starts and word.lower() in self.common:
            return None
        return None if word in ("I", "I'm", "I'll", "I've", "I'd") else UNSURE

    def whole(self, run: str, label: str) -> str:
        parts = [part for part in run.split() if part not in JOINTS]
        if run in known_places() and run not in first_names():
            return "location"
        if 2 <= len(parts) <= 4 and parts[0] in first_names() and parts[-1] in last_names() and all(p.istitle() for p in parts):
            return "person"
        return label


def unlabelled(data: Path, lang: str, most: int, seed: int) -> Iterator[tuple[str, list[Segment]]]:
    texts = [row["text"] for row in rows(data / f"text_{lang}.jsonl.gz") if len(row["text"]) < 600]
    if lang != "en":
        texts += [row["x"] for row in rows(data / "parallel.jsonl.gz") if row["lang"].startswith(lang)]
    else:
        texts += [row["text"] for row in rows(data / "intent.jsonl.gz")]
    reader = Reader(texts)
    rng = random.Random(seed)
    rng.shuffle(texts)
    for text in texts[:most]:
        if all(ord(c) <= 0xFFFF for c in text):
            yield lang, reader.read(rng, lang, text)


def pseudonyms(rng: random.Random, lang: str, segments: list[Segment], share: float) -> list[Segment]:
    """Most people of two names and more get a generated name, in the case they were written in."""
    swapped: list[Segment] = []
    for text, label in segments:
        if label == "person" and " " in text and rng.random() < share:
            name = full_name(rng, lang)
            text = name.upper() if text.isupper() else name.lower() if text.islower() else name
        swapped.append((text, label))
    return swapped


PRONOUNS = {
    "en": re.compile(r"\b(?:He|She|he|she|him)\b"),
    "es": re.compile(r"\b(?:Él|Ella|él|ella)\b"),
    "pt": re.compile(r"\b(?:Ele|Ela|ele|ela)\b"),
}
COMPANIES = {
    "en": re.compile(r"\b[Tt]he (?:company|firm|bank|club|band|studio|agency|school|team)\b"),
    "es": re.compile(r"\b(?:[Ll]a (?:empresa|compañía|universidad|banda)|[Ee]l (?:banco|club|colegio|hospital))\b"),
    "pt": re.compile(r"\b(?:[Aa] (?:empresa|companhia|universidade|banda)|[Oo] (?:banco|clube|colégio|hospital))\b"),
}


def peopled(rng: random.Random, lang: str, segments: list[Segment]) -> list[Segment]:
    """Names where a pronoun stood, organisations where "the company" did, other places for known ones.

    What people do in sentences nobody wrote for us is the context that templates lack.
    """
    made: list[Segment] = []
    for text, label in segments:
        if label == "location" and rng.random() < 0.6:
            made.append((place(rng, lang), label))
        elif label is None:
            made += replaced(rng, lang, text)
        else:
            made.append((text, label))
    return made


def replaced(rng: random.Random, lang: str, text: str) -> list[Segment]:
    found: list[Segment] = []
    at = 0
    for pattern, label, make in ((PRONOUNS, "person", person), (COMPANIES, "organization", organization)):
        if (match := pattern[lang].search(text, at)) is not None and rng.random() < 0.75:
            found += [(text[at : match.start()], None), (make(rng, lang), label)]
            at = match.end()
    return [segment for segment in [*found, (text[at:], None)] if segment[0]]
