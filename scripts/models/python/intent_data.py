"""Labelled texts for the heads of nearfield-intent, and where each label comes from.

- templates: sentences written in intent_templates.py, filled at random;
- sets: CLINC150 and HWU64 intents and BANKING77 topics, mapped to our labels by the tables below;
- rules: BoolQ, ARC, OpenBookQA and GSM8K questions are answers to be looked up, and settled unless a word says otherwise;
- language: the data's own.
"""

from __future__ import annotations

import importlib
import random
import re
from dataclasses import dataclass
from pathlib import Path

from data import rows
from intent_templates import FILLERS, OTHER_LANGUAGES, OTHER_LOCALES, TASK, VOLATILITY

VOLATILITIES = ("timeless", "months", "days", "minutes")
TASKS = ("answer", "summarise", "rewrite", "translate", "classify", "extract", "write", "code", "chat")
LANGUAGES = ("en", "es", "pt", "other")
HELD_OUT = Path(__file__).parents[2] / "eval" / "samples" / "intent-heads.jsonl"
"""Written by hand to measure the heads; what stands there is never trained on."""
TEMPLATE_ROWS = 4000
"""Rows drawn from templates for each head and language."""

CLINC: dict[str, str] = {
    "timeless": "definition spelling calculator measurement_conversion recipe ingredient_substitution ingredients_list cook_time "
    "nutrition_info calories fun_fact meaning_of_life tire_change jump_start oil_change_how improve_credit_score plug_type food_last "
    "translate",
    "months": "apr interest_rate credit_limit international_visa vaccines insurance restaurant_reviews restaurant_suggestion "
    "travel_suggestion income routing w2 expiration_date international_fees carry_on rollover_401k direct_deposit min_payment "
    "mpg gas_type how_old_are_you replacement_card_duration redeem_rewards",
    "days": "bill_due payday next_holiday todo_list shopping_list calendar meeting_schedule pto_balance application_status "
    "pto_request_status travel_alert last_maintenance reminder credit_score meal_suggestion taxes",
    "minutes": "balance bill_balance traffic flight_status weather exchange_rate time current_location order_status transactions "
    "spending_history how_busy find_phone rewards_balance what_song gas timezone lost_luggage",
}  # fmt: skip
HWU: dict[str, str] = {
    "timeless": "qa_definition qa_maths cooking_recipe general_joke",
    "months": "recommendation_movies",
    "days": "news_query calendar_query recommendation_events transport_query social_query lists_query",
    "minutes": "weather_query qa_stock qa_currency datetime_query transport_traffic email_query takeaway_query alarm_query",
}
BANKING: dict[str, str] = {
    "months": "age_limit country_support fiat_currency_support card_acceptance exchange_charge top_up_limits disposable_card_limits "
    "supported_cards_and_currencies transfer_timing card_delivery_estimate visa_or_mastercard atm_support verify_my_identity "
    "top_up_by_card_charge why_verify_identity",
    "minutes": "pending_transfer pending_top_up pending_card_payment pending_cash_withdrawal balance_not_updated_after_bank_transfer "
    "card_arrival exchange_rate transfer_not_received_by_recipient",
}  # fmt: skip
CHAT = {
    "clinc150": "greeting goodbye thank_you are_you_a_bot how_old_are_you what_is_your_name do_you_have_pets what_are_your_hobbies "
    "where_are_you_from who_made_you who_do_you_work_for yes no maybe",
    "hwu64": "general_praise general_dontcare general_affirm general_negate general_confirm general_commandstop",
}  # fmt: skip
LATER = re.compile(r"\b(tomorrow|tonight|week|weekend|monday|tuesday|wednesday|thursday|friday|saturday|sunday|next)\b", re.IGNORECASE)
CHANGING = re.compile(
    r"\b(legal|illegal|laws?|allowed|current|currently|still|now|latest|president|season|going to be|will there|cost|price|highest|"
    r"largest|biggest|oldest|most|record|so far)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Row:
    text: str
    lang: str
    volatility: str | None = None
    task: str | None = None


def fill(template: str, lang: str, rng: random.Random) -> str:
    table = FILLERS[lang]
    text = re.sub(r"\{(\w+)\}", lambda match: rng.choice(table[match[1]].split("|")), template)
    if rng.random() < 0.3:
        text = text.lower()
    if rng.random() < 0.3:
        text = text.rstrip("?.!").lstrip("¿¡")
    if rng.random() < 0.12:
        polite = {"en": "Please tell me: ", "es": "Por favor, dime: ", "pt": "Por favor, diga: "}[lang]
        text = polite + text
    return text


def around(text: str, passages: list[str], rng: random.Random) -> str:
    """An instruction alone, or with a text to work on before or after it."""
    if rng.random() < 0.4:
        return text
    passage = " ".join(rng.sample(passages, rng.randint(1, 2)))
    return rng.choice((f"{text}: {passage}", f"{text}\n\n{passage}", f"{passage}\n\n{text}", f'{text} "{passage}"', f"{text}\n{passage}"))


def from_templates(passages: dict[str, list[str]], rng: random.Random) -> list[Row]:
    out: list[Row] = []
    for lang in FILLERS:
        for _ in range(TEMPLATE_ROWS):
            label = rng.choice(VOLATILITIES)
            text = fill(rng.choice(VOLATILITY[lang][label].split("|")), lang, rng)
            out.append(Row(text, lang, label, "answer"))
        for _ in range(TEMPLATE_ROWS):
            label = rng.choice(TASKS[1:])
            text = fill(rng.choice(TASK[lang][label].split("|")), lang, rng)
            chat = label == "chat"
            out.append(Row(text if chat else around(text, passages[lang], rng), lang, None if chat else "timeless", label))
    return out


def mapped(table: dict[str, str]) -> dict[str, str]:
    return {intent: label for label, intents in table.items() for intent in intents.split()}


def from_sets(folder: Path, rng: random.Random) -> list[Row]:
    volatility = {"clinc150": mapped(CLINC), "hwu64": mapped(HWU), "banking77": mapped(BANKING)}
    chat = {name: set(intents.split()) for name, intents in CHAT.items()}
    out: list[Row] = []
    for row in rows(folder / "intent.jsonl.gz"):
        if row["split"] != "train":
            continue
        label = volatility.get(row["dataset"], {}).get(row["label"])
        if row["label"] in chat.get(row["dataset"], ()):
            out.append(Row(row["text"], "en", None, "chat"))
        elif label is not None:
            later = row["label"] in ("weather", "weather_query", "flight_status") and LATER.search(row["text"])
            task = {"translate": "translate", "general_joke": "write"}.get(row["label"], "answer")
            out.append(Row(row["text"], "en", "days" if later else label, task))
    return rng.sample(out, min(9000, len(out)))


def from_rules(folder: Path, rng: random.Random) -> list[Row]:
    most = {"boolq": 3000, "arc_easy": 500, "arc_challenge": 300, "openbookqa": 500, "gsm8k": 400}
    found = [row for row in rows(folder / "exact.jsonl.gz") if row["task"] in most]
    rng.shuffle(found)
    out: list[Row] = []
    for row in found:
        if most[row["task"]] > 0:
            most[row["task"]] -= 1
            label = "months" if row["task"] == "boolq" and CHANGING.search(row["question"]) else "timeless"
            out.append(Row(row["question"], "en", label, "answer"))
    return out


def prose(folder: Path, rng: random.Random) -> dict[str, list[str]]:
    """Sentences in the three languages, for the language head and as texts to work on."""
    out: dict[str, list[str]] = {}
    for lang in FILLERS:
        texts = [row["text"] for row in rows(folder / f"text_{lang}.jsonl.gz") if row["source"] in ("common-voice", "masc", "wiki-split", "lener-br")]
        texts += [row["x"] for row in rows(folder / "parallel.jsonl.gz") if row["lang"] == lang]
        out[lang] = [text[:200] for text in rng.sample(texts, 9000)]
    return out


def other_languages(rng: random.Random) -> list[str]:
    out = [text for texts in OTHER_LANGUAGES.values() for text in texts.split("|")]
    # Each once with and once without signs and capitals, and pairs of sentences, so that few go further.
    for texts in OTHER_LANGUAGES.values():
        own = texts.split("|")
        words = sorted({word for text in own for word in text.split()})
        out += [" ".join(rng.sample(own, 2)) for _ in range(60)]
        out += [" ".join(rng.sample(words, rng.randint(3, 9))) for _ in range(220)]
    for locale in OTHER_LOCALES:
        words = importlib.import_module(f"faker.providers.lorem.{locale}").Provider.word_list
        out += [" ".join(rng.sample(words, min(len(words), rng.randint(3, 10)))) for _ in range(220)]
    return [text if rng.random() < 0.5 else text.lower().rstrip("?.!") for text in out]


def build_rows(folder: Path, seed: int = 17) -> list[Row]:
    rng = random.Random(seed)
    passages = prose(folder, rng)
    out = from_templates(passages, rng) + from_sets(folder, rng) + from_rules(folder, rng)
    for lang, texts in passages.items():
        out += [Row(text, lang) for text in texts[:5000]]
        # Short ones: most of what an interface is asked is a few words long.
        out += [Row(" ".join(text.split()[: rng.randint(2, 6)]), lang) for text in texts[5000:7000]]
    out += [Row(text, "other") for text in other_languages(rng)]
    rng.shuffle(out)
    skip = {bare(row["text"]) for row in rows(HELD_OUT)}
    return [row for row in {row.text: row for row in out}.values() if bare(row.text) not in skip]


def bare(text: str) -> str:
    return text.lower().strip("¿?¡!. ")
