"""The guard's training pairs, from open data and from what this file writes: (a, b, 1 when the same is asked, family).

Families end up in the report, so that each kind of confusion is measured for itself. The last tenth of every pool is
never trained on.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data import rows
from guard_rewrite import changed, reworded
from guard_words import ACTIONS, ASPECTS, COMPARING, DOING, OTHER, SYMMETRIC


@dataclass(frozen=True)
class Pair:
    a: str
    b: str
    same: float
    family: str
    split: str


SLOTTED = set(
    """alarm book_flight book_hotel calculator calendar calendar_update calories cancel_reservation car_rental change_accent
    change_ai_name change_language change_speed change_user_name change_volume confirm_reservation cook_time date definition
    directions distance exchange_rate expiration_date flight_status food_last gas_type how_busy ingredient_substitution
    ingredients_list international_visa make_call maybe meal_suggestion measurement_conversion meeting_schedule mpg next_holiday
    no nutrition_info order pay_bill play_music plug_type recipe reminder_update repeat restaurant_reservation
    restaurant_reviews restaurant_suggestion schedule_meeting shopping_list shopping_list_update smart_home spelling
    spending_history text time timer timezone todo_list todo_list_update traffic transactions transfer translate travel_alert
    travel_notification travel_suggestion uber update_playlist vaccines weather yes oos accept_reservations bill_balance bill_due
    balance min_payment interest_rate apr current_location what_song pto_request pto_request_status greeting goodbye
    thank_you cancel""".split()
)
"""clinc150 intents whose requests name a thing each: two of one intent need not ask the same."""


def split_of(text: str) -> str:
    return "held" if hashlib.sha256(text.encode()).digest()[0] < 26 else "train"


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.lower()).strip()


def questions(folder: Path) -> list[str]:
    """Questions of the open sets, lower case, 4 to 20 words."""
    found: dict[str, int] = defaultdict(int)
    for row in rows(folder / "exact.jsonl.gz"):
        if row["task"] in ("boolq", "arc_easy", "arc_challenge", "openbookqa"):
            found[row["question"]] += 1
    for row in rows(folder / "retrieval_dev_queries.jsonl.gz"):
        if row["set"] in ("xquad", "faquad"):
            found[row["text"]] += 1
    for row in rows(folder / "instruct.jsonl.gz"):
        for line in re.split(r"(?<=[.!?])\s+|\n+", f"{row['prompt']}\n{row['response']}"):
            found[line.rsplit(": ", 1)[-1].strip(' "')] += 1
    kept = {plain(text) for text, times in found.items() if times <= 2 and text.rstrip().endswith("?")}
    return sorted(text for text in kept if 4 <= len(text.split()) <= 20)


def things(folder: Path) -> list[str]:
    """What a question can be about: rows of OTHER, titles, and the ends of 'what is' questions."""
    out = {item for row in OTHER for item in row}
    for text in questions(folder):
        match = re.match(r"^(?:what|who) (?:is|are|was|were) (?:the |a |an )?([\w' -]{3,30}?)(?: of .*)?\?$", text)
        if match and len(match[1].split()) <= 3:
            out.add(match[1])
    return sorted(out)


def labelled(folder: Path, rng: random.Random) -> Iterator[Pair]:
    """Pairs people labelled: similarity scores, rewritten sentences, requests of one intent and of two."""
    for row in rows(folder / "sts.jsonl.gz"):
        same = min(1.0, max(0.0, (row["score"] - 0.6) / 0.25))
        yield Pair(plain(row["a"]), plain(row["b"]), same, f"sts-{row['lang']}", "held" if row["split"] == "dev" else "train")
    for row in rows(folder / "pairs.jsonl.gz"):
        if row["source"] == "gptcache-mock":
            yield Pair(plain(row["a"]), plain(row["b"]), 1, "rewritten", split_of(row["a"]))
    intents: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows(folder / "intent.jsonl.gz"):
        if row["dataset"] in ("banking77", "clinc150") and row["label"] != "oos":
            intents[row["dataset"], row["label"]].append(plain(row["text"]))
    for (dataset, label), texts in sorted(intents.items()):
        others = [name for name in intents if name[0] == dataset and name[1] != label]
        split = split_of(label)
        if label not in SLOTTED:
            for text in texts:
                for other in rng.sample(texts, 3):
                    if other != text:
                        yield Pair(text, other, 0.9, f"intent-{dataset}", split)
        near = sorted(others, key=lambda name: -len(set(name[1].split("_")) & set(label.split("_"))))[:4]
        for text in texts:
            for name in (*rng.sample(near, 2), rng.choice(others)):
                yield Pair(text, rng.choice(intents[name]), 0, f"intent-{dataset}", split)


def natural(folder: Path, rng: random.Random) -> Iterator[Pair]:
    """Open questions said otherwise, and changed."""
    pool = questions(folder)
    for row in rows(folder / "intent.jsonl.gz"):
        if row["dataset"] in ("banking77", "clinc150", "hwu64") and len(row["text"].split()) >= 4:
            pool.append(plain(row["text"]))
    for text in pool:
        split = split_of(text)
        for _ in range(2):
            same = reworded(text, rng)
            if same is not None:
                yield Pair(text, same, 1, "reworded", split)
        for _ in range(2):
            found = changed(text, rng)
            if found is None:
                continue
            new, kind = found
            if rng.random() < 0.5:
                new = reworded(new, rng) or new
            yield Pair(text, new, 0, f"changed-{kind}", split)


def of_kind(thing: str, rng: random.Random, all_things: list[str]) -> str:
    row = next((row for row in OTHER if thing in row), None)
    return rng.choice([other for other in (row or all_things) if other != thing])


def aspects(folder: Path, rng: random.Random, count: int) -> Iterator[Pair]:
    """One thing and one aspect in two wordings; the same thing and another aspect; another thing."""
    pool = things(folder)
    for _ in range(count):
        at = rng.randrange(len(ASPECTS))
        row, x = ASPECTS[at], rng.choice(pool)
        y = of_kind(x, rng, pool)
        a, b = rng.sample(range(len(row)), 2)
        first = row[a].format(x=x, y=y)
        split = split_of(x)
        yield Pair(first, said(row[b].format(x=x, y=y), rng), 1, "aspect", split)
        if at in COMPARING:
            turned = row[b].format(x=y, y=x)
            yield Pair(first, said(turned, rng), float(at in SYMMETRIC), "order", split)
        z = of_kind(x, rng, pool)
        if z not in (x, y):
            yield Pair(first, said(row[b].format(x=z, y=y), rng), 0, "other-thing", split)
        other = rng.choice([i for i in range(len(ASPECTS)) if i != at])
        yield Pair(first, said(rng.choice(ASPECTS[other]).format(x=x, y=y), rng), 0, "other-aspect", split)


def actions(rng: random.Random, count: int) -> Iterator[Pair]:
    for _ in range(count):
        row, x = rng.choice(DOING), rng.choice(ACTIONS)
        a, b = rng.sample(range(len(row)), 2)
        first, second = row[a].format(x=x), row[b].format(x=x)
        split = split_of(x)
        yield Pair(first, said(second, rng), 1, "action", split)
        near = [y for y in ACTIONS if y != x and set(y.split()) & set(x.split()) - {"a", "the", "my", "to"}]
        yield Pair(first, said(row[b].format(x=rng.choice(near or ACTIONS)), rng), 0, "other-action", split)
        other = rng.choice([r for r in DOING if r is not row])
        yield Pair(first, said(rng.choice(other).format(x=x), rng), 0, "other-aspect", split)
        found = changed(second, rng)
        if found is not None:
            yield Pair(first, said(found[0], rng), 0, f"changed-{found[1]}", split)


def said(text: str, rng: random.Random) -> str:
    """As a person would type it: now and then with a small change more."""
    text = f"{text}?" if rng.random() < 0.8 else text
    return (reworded(text, rng) or text) if rng.random() < 0.4 else text


def make_pairs(folder: Path, seed: int = 7, scale: float = 1) -> list[Pair]:
    rng = random.Random(seed)
    pairs = [
        *labelled(folder, rng),
        *natural(folder, rng),
        *aspects(folder, rng, int(30_000 * scale)),
        *actions(rng, int(30_000 * scale)),
    ]
    rng.shuffle(pairs)
    return [pair for pair in pairs if pair.a != pair.b]
