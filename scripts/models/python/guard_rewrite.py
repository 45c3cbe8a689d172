"""Says a question in other words, or changes what it asks. What the guard learns from where no labelled pairs are open.

Every function takes its randomness and returns None where it does not apply.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from guard_words import CONSTRAINTS, DOING, FLUFF, OPENERS, OPPOSITE, OTHER, SAME

Rewrite = Callable[[str, random.Random], str | None]


def swap_table(rows: list[list[str]]) -> dict[str, list[str]]:
    return {item: [other for other in row if other != item] for row in rows for item in row}


SAME_OF, OTHER_OF, OPPOSITE_OF = swap_table(SAME), swap_table(OTHER), swap_table(OPPOSITE)


def finder(words: dict[str, list[str]]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b")


FIND = {id(words): finder(words) for words in (SAME_OF, OTHER_OF, OPPOSITE_OF)}


def swap_one(text: str, rng: random.Random, words: dict[str, list[str]]) -> str | None:
    found = list(FIND[id(words)].finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(words[match.group()]) + text[match.end() :]


def same_word(text: str, rng: random.Random) -> str | None:
    return swap_one(text, rng, SAME_OF)


def other_thing(text: str, rng: random.Random) -> str | None:
    return swap_one(text, rng, OTHER_OF)


def opposite_word(text: str, rng: random.Random) -> str | None:
    return swap_one(text, rng, OPPOSITE_OF)


NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


def other_number(text: str, rng: random.Random) -> str | None:
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    match = rng.choice(found)
    digits = list(match.group())
    at = rng.choice([at for at, digit in enumerate(digits) if digit.isdigit()])
    digits[at] = rng.choice([digit for digit in "123456789" if digit != digits[at]])
    return text[: match.start()] + "".join(digits) + text[match.end() :]


ORDERED = re.compile(r"^(.*?\b)([\w']+(?: [\w']+)?) (to|from|into|than|over|beat|after|before|of) ([\w']+(?: [\w']+)?)(\??)$")


def other_order(text: str, rng: random.Random) -> str | None:
    match = ORDERED.match(text)
    if match is None or match[2] == match[4]:
        return None
    return f"{match[1]}{match[4]} {match[3]} {match[2]}{match[5]}"


AUXILIARY = re.compile(r"\b(is|are|was|were|do|does|did|can|could|should|will|would|has|have)\b")


def negated(text: str, rng: random.Random) -> str | None:
    match = AUXILIARY.search(text)
    if match is None or re.search(r"\bnot\b|n't", text):
        return None
    if match.start() == 0 or rng.random() < 0.5:
        words = text[match.end() :].split(" ")
        at = min(len(words) - 1, 2)
        return text[: match.end()] + " ".join([*words[:at], "not", *words[at:]])
    short = {"can": "can't", "will": "won't"}.get(match[1], f"{match[1]}n't")
    return text[: match.start()] + short + text[match.end() :]


def constrained(text: str, rng: random.Random) -> str | None:
    added = rng.choice(CONSTRAINTS)
    return None if added in text else f"{text.rstrip('?. ')} {added}?"


LAST_PHRASE = re.compile(r"^(.{12,}?) ((?:in|for|on|at|with|without|from|by|after|before|during|about|under|near) [^?]{3,40})\??$")


def unconstrained(text: str, rng: random.Random) -> str | None:
    match = LAST_PHRASE.match(text)
    return f"{match[1]}?" if match else None


ASKING: list[list[str]] = [
    ["what is the capital of", "what is the population of", "what is the area of", "what is the history of", "what is the currency of"],
    ["who is", "where is", "how old is", "what is the job of"],
    ["when did", "why did", "how did", "where did"],
    ["when was", "why was", "how was", "where was", "by whom was"],
    ["how do i", "why do i", "when do i", "where do i", "should i", "how often do i", "how long do i", "why can't i"],
    ["how can i", "why can't i", "when can i", "where can i", "how many times can i"],
    ["what is", "who invented", "how does one use", "what is wrong with", "what is the price of", "how old is", "why do we need"],
    ["what are the", "how many are the", "where are the", "who made the", "why are there"],
    ["how many", "which", "what kind of", "whose"],
    ["how much", "how often", "how long", "how fast"],
    ["is", "why is", "when is", "since when is"],
    ["can i", "must i", "why would i", "how do i"],
    ["what is my", "how do i change my", "where do i find my", "how do i delete my", "why do i have my"],
]  # fmt: skip


def asks_another(text: str, rng: random.Random) -> str | None:
    for row in ASKING:
        for opening in row:
            if text.startswith(opening + " "):
                return rng.choice([other for other in row if other != opening]) + text[len(opening) :]
    return None


FORMS: list[list[str]] = [
    *([form.removesuffix(" {x}") for form in row if form.endswith(" {x}")] for row in DOING),
    ["what is", "what's", "can you tell me what is", "do you know what is"],
    ["what are", "which are", "what're"],
    ["what are the best", "which are the best", "what are some of the best", "what are some good"],
    ["what is the best", "which is the best", "what's the best", "which one is the best", "what would be the best"],
    ["why is", "what is the reason why is", "how come"],
    ["why do", "what makes", "how come"],
    ["who is", "who's", "which person is"],
    ["who was", "which person was", "do you know who was"],
    ["when did", "in what year did", "at what time did", "what year did"],
    ["when was", "in what year was", "what year was"],
    ["where is", "in what place is", "where's"],
    ["where was", "in what place was"],
    ["how many", "what number of", "what is the number of"],
    ["which", "what"],
    ["is it true that", "is it the case that"],
    ["i need", "i want", "i'd like", "i would like"],
    ["i want to", "i need to", "i'd like to", "i would like to", "i wish to"],
    ["tell me", "let me know", "please tell me", "can you tell me", "i want to know"],
    ["is there", "does there exist"],
    ["cómo puedo", "cómo hago para", "de qué manera puedo", "qué debo hacer para", "cuál es la mejor manera de"],
    ["cuál es", "me puedes decir cuál es", "dime cuál es"],
    ["por qué", "por qué razón", "a qué se debe que"],
    ["como posso", "como faço para", "de que maneira posso", "o que devo fazer para", "qual é a melhor maneira de"],
    ["qual é", "pode me dizer qual é", "diga qual é"],
    ["por que", "por que motivo", "por qual razão"],
]  # fmt: skip


def other_form(text: str, rng: random.Random) -> str | None:
    found = [(row, form) for row in FORMS for form in row if text.startswith(form + " ")]
    if not found:
        return None
    longest = max(len(form) for _, form in found)
    row, form = rng.choice([(row, form) for row, form in found if len(form) == longest])
    return rng.choice([other for other in row if other != form] or [form]) + text[len(form) :]


CONTRACTED = [
    ("what is", "what's"), ("do not", "don't"), ("can not", "can't"), ("cannot", "can't"), ("does not", "doesn't"), ("i am", "i'm"),
    ("i have", "i've"), ("is not", "isn't"), ("how is", "how's"), ("who is", "who's"), ("you are", "you're"), ("i would", "i'd"),
]  # fmt: skip


def small_change(text: str, rng: random.Random) -> str | None:
    """Articles, contractions, persons, punctuation: what people leave out or write otherwise."""
    way = rng.randrange(5)
    if way == 0:
        return re.sub(r"\b(?:the|a|an) ", "", text, count=1)
    if way == 1:
        for long, short in CONTRACTED:
            if long in text:
                return text.replace(long, short, 1)
            if short in text:
                return text.replace(short, long, 1)
        return None
    if way == 2:
        pairs = [(" i ", " you "), (" you ", " i "), (" my ", " your "), (" your ", " my "), (" i ", " we "), (" we ", " one ")]
        before, after = rng.choice(pairs)
        return text.replace(before, after) if before in text else None
    if way == 3:
        return text.rstrip("?. ")
    return f"{text.rstrip('?. ')} {rng.choice(FLUFF)}?"


def opened(text: str, rng: random.Random) -> str | None:
    return f"{rng.choice(OPENERS)} {text}"


def typo(text: str, rng: random.Random) -> str | None:
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= 6 and word.isalpha()]
    if not long:
        return None
    at = rng.choice(long)
    word, cut = words[at], rng.randrange(1, len(words[at]) - 2)
    swapped = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
    words[at] = rng.choice([swapped, word[:cut] + word[cut + 1 :], word[:cut] + word[cut] + word[cut:]])
    return " ".join(words)


KEEPING: list[tuple[Rewrite, float]] = [
    (other_form, 3), (same_word, 3), (small_change, 2), (opened, 0.7), (typo, 0.7),
]  # fmt: skip
CHANGING: dict[str, tuple[Rewrite, float]] = {
    "thing": (other_thing, 3),
    "opposite": (opposite_word, 3),
    "number": (other_number, 1.5),
    "order": (other_order, 2),
    "negation": (negated, 1),
    "constraint": (constrained, 0.8),
    "unconstrained": (unconstrained, 2),
    "question": (asks_another, 2.5),
}


def reworded(text: str, rng: random.Random, least: int = 1) -> str | None:
    """The same question in other words: `least` to three changes."""
    out, changed = text, 0
    for rewrite in rng.choices([rewrite for rewrite, _ in KEEPING], [share for _, share in KEEPING], k=least + 3):
        new = rewrite(out, rng)
        if new is not None and new != out:
            out, changed = new, changed + 1
        if changed >= least and rng.random() < 0.5:
            break
    return out if changed >= least else None


def changed(text: str, rng: random.Random) -> tuple[str, str] | None:
    """(another question, kind of the change)."""
    names = list(CHANGING)
    for name in rng.choices(names, [CHANGING[name][1] for name in names], k=6):
        new = CHANGING[name][0](text, rng)
        if new is not None and new != text:
            return new, name
    return None
