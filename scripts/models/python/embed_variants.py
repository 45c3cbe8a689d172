"""Neighbourhoods of questions: one thing asked in several ways, beside others that differ by a word.

Sentences drawn at random are far from one another, so they say little about the order among near ones, which is
what a search or a cache asks for. Fillers are cut from open text; templates and changes are written here. The
teacher says how near the members of a neighbourhood are, so a filler that makes an odd sentence does no harm.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from pathlib import Path

from data import rows
from embed_corpus import cut, held_out, origin

GROUP = 8
GROUPS = 7500
REAL_SHARE = 0.3
"""Share of neighbourhoods that grow from a sentence as it was found, not from a template."""

VERB_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("How do I {v}?", "How can I {v}?", "What is the best way to {v}?", "What are some ways to {v}?",
     "How should one {v}?", "What should I do to {v}?", "What is the easiest way to {v}?", "How to {v}?",
     "Is there a good way to {v}?", "Can anyone tell me how to {v}?", "What do I need to {v}?", "How does one {v}?"),
    ("Why should I {v}?", "Why do people {v}?", "What are the reasons to {v}?", "What is the point of trying to {v}?",
     "What makes someone want to {v}?"),
    ("Can I {v}?", "Is it possible to {v}?", "Am I allowed to {v}?", "Is it legal to {v}?", "Is it okay to {v}?"),
    ("When should I {v}?", "What is the best time to {v}?", "What is the right age to {v}?", "Is it too late to {v}?"),
    ("How long does it take to {v}?", "How much time do I need to {v}?", "How quickly can I {v}?"),
    ("How much does it cost to {v}?", "What is the price to {v}?", "Is it expensive to {v}?"),
    ("Where can I {v}?", "What is the best place to {v}?", "Which website lets me {v}?"),
    ("What happens if I {v}?", "What will happen when you {v}?", "What are the consequences if I {v}?"),
    ("Is it safe to {v}?", "Is it bad to {v}?", "Is it dangerous to {v}?", "Is it a good idea to {v}?"),
    ("Why can't I {v}?", "How do I stop people who {v}?", "Why is it so hard to {v}?", "What if I never {v}?"),
)  # fmt: skip
NOUN_FAMILIES: tuple[tuple[str, ...], ...] = (
    ("What is {n}?", "What exactly is {n}?", "What does {n} mean?", "Can you explain {n}?", "What is meant by {n}?"),
    ("Why is {n} so popular?", "What makes {n} so popular?", "Why do so many people like {n}?"),
    ("Why is {n} important?", "What is the importance of {n}?", "Why does {n} matter?", "What is the use of {n}?"),
    ("Who invented {n}?", "Who came up with {n}?", "Where does {n} come from?", "What is the history of {n}?"),
    ("What is the best {n}?", "Which {n} is the best?", "What are the top 10 {n}?", "Which {n} should I choose?",
     "What is the worst {n}?"),
    ("What do you think about {n}?", "What are your views on {n}?", "Is {n} any good?", "Is {n} overrated?"),
    ("What is the difference between {n} and {m}?", "How is {n} different from {m}?", "How does {n} compare to {m}?",
     "Which is better, {n} or {m}?", "Is {n} better than {m}?", "Is {m} better than {n}?", "{n} vs {m}"),
    ("How can I learn {n}?", "What are the best books about {n}?", "What is the best way to learn about {n}?",
     "How do I get better at {n}?", "How do I start with {n}?"),
    ("What is it like to live in {p}?", "What are the best places to visit in {p}?", "How is life in {p}?",
     "Which places should I see in {p}?"),
    ("How will {n} affect {p}?", "What is the effect of {n} on {p}?", "What does {n} mean for {p}?"),
    ("How many {n} are there in {p}?", "What is the number of {n} in {p}?", "How common are {n} in {p}?"),
    ("How does {n} work?", "How is {n} made?", "What is {n} made of?", "What causes {n}?", "How do you treat {n}?"),
    ("Did {p} really have {n}?", "Why did {p} lose {n}?", "Why doesn't {p} have {n}?", "Does {p} have {n}?"),
    ("Who is {p}?", "What is {p} known for?", "Why is {p} famous?", "What happened to {p}?", "How old is {p}?"),
    ("How do I get from {p} to {q}?", "How far is {p} from {q}?", "How do I get from {q} to {p}?",
     "What is the fastest way from {p} to {q}?"),
)  # fmt: skip
QUALIFIERS = (
    "in {p}", "without money", "for beginners", "as a student", "in 2015", "in 2017", "at home", "in one day",
    "in a week", "for free", "online", "on my phone", "without experience", "at the age of 30", "quickly", "in Spanish",
    "on Windows", "on a Mac", "after college", "before sleeping", "at night", "with a friend", "in the US", "in India",
)  # fmt: skip

VERB_LEAD = re.compile(
    r"^(?:how (?:do|can|would|should|could) (?:i|you)|(?:can|could|may|should) i|(?:can|could|would|will) you|please|"
    r"i (?:want|need|would like|have|'d like) to|i'd like to|help me|is it possible to|what happens if i|let's) "
    r"(.{6,60}?)[?.! ]*$",
    re.IGNORECASE,
)
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: (?:of |the )?[A-Z][a-z]{2,}){0,2}\b")
NOUN = re.compile(
    r"\b(?:the|an?|my|your|this|some) ([a-z]{3,}(?: [a-z]{3,}){0,2}) "
    r"(?=of|in|is|was|are|were|for|on|at|to|by|with|that|which|and|has|had)\b"
)
NO_VERB = frozenset("a an the my your his her its our their this that these those me it i you he she we they in on at of to for from with by and or as so not no some any all more most one two".split())
NO_NOUN = frozenset("is are was were be been has have had do does very which that who and or but not than then following".split())
NUMBER = re.compile(r"\d+")


class Fillers:
    """Phrases cut from open text, and which of them share a word."""

    def __init__(self, folder: Path, skip: set[str], rng: random.Random) -> None:
        intents = [row["text"] for row in rows(folder / "intent.jsonl.gz") if row.get("split") == "train"]
        questions = [row["question"] for row in rows(folder / "exact.jsonl.gz")]
        prose = [row["text"] for row in rows(folder / "text_en.jsonl.gz") if not origin(row).startswith(("movie", "p3"))]
        sts = [row[side] for row in rows(folder / "sts.jsonl.gz") if row["split"] == "train" and row["lang"] == "en" for side in "ab"]
        known = [text for text in (*intents, *questions, *sts, *prose) if cut(text) not in skip]
        short = [text for text in dict.fromkeys(known) if 5 <= len(text.split()) <= 16]
        self.sentences = rng.sample(short, min(40_000, len(short)))
        self.questions = [text for text in short if text.endswith("?")]
        asked = dict.fromkeys(m[1].lower() for text in intents if (m := VERB_LEAD.match(text)))
        self.verbs = [phrase for phrase in asked if phrase.split()[0] not in NO_VERB]
        first = {phrase.split()[0] for phrase in self.verbs}
        for text in prose:
            for match in re.finditer(r"\bto ([a-z]+(?: [a-z]+){1,4})(?=[.,;?!])", text):
                if match[1].split()[0] in first:
                    self.verbs.append(match[1])
        nouns = dict.fromkeys(m[1] for text in (*questions, *prose) for m in NOUN.finditer(text))
        self.nouns = [phrase for phrase in nouns if not NO_NOUN & set(phrase.split())]
        names = [match[0] for text in prose for match in NAME.finditer(text)]
        # Names as often as text has them: New York more than a village.
        self.names = names
        self.siblings = {id(pool): share_a_word(pool) for pool in (self.verbs, self.nouns, self.names)}

    def sibling(self, pool: list[str], phrase: str, rng: random.Random) -> str:
        index = self.siblings[id(pool)]
        near = [other for word in phrase.split() for other in index.get(word, ())]
        return rng.choice(near) if near and rng.random() < 0.6 else rng.choice(pool)


def share_a_word(phrases: list[str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for phrase in phrases:
        for word in phrase.split():
            if len(word) > 3 and len(index[word]) < 60:
                index[word].append(phrase)
    return index


def drop_word(text: str, rng: random.Random) -> str:
    words = text.split()
    del words[rng.randrange(len(words))]
    return " ".join(words)


def swap_words(text: str, rng: random.Random) -> str:
    words = text.split()
    a, b = rng.sample(range(len(words)), 2)
    words[a], words[b] = words[b], words[a]
    return " ".join(words)


def negate(text: str, rng: random.Random) -> str:
    """"not" after the first auxiliary, or a leading doubt where there is none."""
    changed = re.sub(
        r"\b(is|are|was|were|can|could|should|would|will|do|does|did|has|have) (?!not)", r"\1 not ", text, count=1
    )
    return changed if changed != text else f"{rng.choice(('Never', 'Do not', 'Not'))} {text}"


def other_number(text: str, rng: random.Random) -> str:
    if NUMBER.search(text):
        return NUMBER.sub(lambda _: str(rng.choice((2, 3, 5, 7, 12, 20, 50, 100, 1999, 2010, 2020))), text, count=1)
    return drop_word(text, rng)


class Writer:
    def __init__(self, fillers: Fillers, rng: random.Random) -> None:
        self.fillers, self.rng = fillers, rng

    def qualify(self, text: str) -> str:
        phrase = self.rng.choice(QUALIFIERS).format(p=self.rng.choice(self.fillers.names))
        return f"{text[:-1]} {phrase}?" if text.endswith("?") else f"{text} {phrase}"

    def change(self, text: str) -> str:
        if len(text.split()) < 3:
            return self.qualify(text)
        pick = self.rng.random()
        if pick < 0.3:
            return self.qualify(text)
        for most, way in ((0.5, drop_word), (0.7, swap_words), (0.85, negate)):
            if pick < most:
                return way(text, self.rng)
        return other_number(text, self.rng)

    def from_template(self) -> list[str]:
        rng, fillers = self.rng, self.fillers
        families = VERB_FAMILIES if rng.random() < 0.45 else NOUN_FAMILIES
        family, other = rng.sample(families, 2)
        chosen = {"v": rng.choice(fillers.verbs), "p": rng.choice(fillers.names), "q": rng.choice(fillers.names)}
        nouns = fillers.nouns if rng.random() < 0.55 else fillers.names
        chosen |= {"n": rng.choice(nouns), "m": rng.choice(nouns)}
        sibling = {
            "v": fillers.sibling(fillers.verbs, chosen["v"], rng),
            "n": fillers.sibling(nouns, chosen["n"], rng),
            "m": chosen["m"],
            "p": fillers.sibling(fillers.names, chosen["p"], rng),
            "q": chosen["q"],
        }
        stranger = {
            "v": rng.choice(fillers.verbs), "n": rng.choice(nouns), "m": rng.choice(nouns),
            "p": rng.choice(fillers.names), "q": chosen["q"],
        }  # fmt: skip
        same = rng.sample(family, min(3, len(family)))
        texts = [template.format(**chosen) for template in same]
        texts.append(rng.choice(other).format(**chosen))
        texts += [same[0].format(**sibling), same[0].format(**stranger)]
        return [*texts, self.change(texts[0]), self.change(texts[1])]

    def from_sentence(self) -> list[str]:
        rng = self.rng
        pool = self.fillers.questions if rng.random() < 0.6 else self.fillers.sentences
        text = rng.choice(pool)
        words = text.split()
        texts = [text, negate(text, rng), swap_words(text, rng), drop_word(text, rng), other_number(text, rng)]
        texts.append(" ".join(words[: max(3, len(words) * 2 // 3)]))
        return [*texts, self.qualify(text), drop_word(swap_words(text, rng), rng)]


def build_variants(folder: Path, groups: int = GROUPS, seed: int = 23) -> list[list[str]]:
    """Neighbourhoods of up to GROUP different texts."""
    rng = random.Random(seed)
    skip = held_out(folder)
    writer = Writer(Fillers(folder, skip, rng), rng)
    out: list[list[str]] = []
    while len(out) < groups:
        made = writer.from_sentence() if rng.random() < REAL_SHARE else writer.from_template()
        texts = [text for text in dict.fromkeys(made) if text not in skip]
        if len(texts) >= 5:
            out.append(texts[:GROUP])
    return out


def load_variants(folder: Path, work: Path) -> list[list[str]]:
    """The neighbourhoods, written once to work/variants.jsonl."""
    path = work / "variants.jsonl"
    if not path.exists():
        path.write_text("".join(json.dumps(group, ensure_ascii=False) + "\n" for group in build_variants(folder)), "utf-8")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
