"""The slots of a template: each makes one piece of text, personal (with its label) or a hard negative (without)."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

import pii_words as words
from pii_names import address_list, city, countries, first_name, last_name, pick_locale, state

Maker = Callable[[random.Random, str], str]

LABELS = (
    "person address location organization date phone email url account national-id medical-id document-id "
    "username secret age"
).split()


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def shaped(rng: random.Random, shape: str) -> str:
    """# is a digit, A a capital, a a small letter, * either; anything else stays."""
    table = {"#": string.digits, "A": string.ascii_uppercase, "a": string.ascii_lowercase}
    table["*"] = string.ascii_letters + string.digits
    return "".join(rng.choice(table[c]) if c in table else c for c in shape)


def one_shape(*shapes: str) -> Maker:
    return lambda rng, lang: shaped(rng, rng.choice(shapes))


def one_of(table: dict[str, list[str]] | list[str]) -> Maker:
    return lambda rng, lang: rng.choice(table[lang] if isinstance(table, dict) else table)


# ---------------------------------------------------------------- people


def surname(rng: random.Random, lang: str, locale: str) -> str:
    last = last_name(rng, lang, locale)
    roll = rng.random()
    home = locale[:2]
    if home in ("es", "pt") and roll < 0.55:
        joint = rng.choice((" ", " ", " ", " de ", " y ")) if home == "es" else rng.choice((" ", " ", " da ", " de ", " dos "))
        last += joint + last_name(rng, lang, locale)
    elif home in ("es", "pt") and roll < 0.63:
        last = rng.choice(("de la ", "del ", "de ", "De ", "De la ", "da ", "dos ", "de los ")) + last
    elif roll < 0.08:
        last += "-" + last_name(rng, lang, locale)
    elif roll < 0.11:
        last = rng.choice(("van ", "van der ", "de ", "von ", "O'", "St. ", "al-", "D'", "Mac")) + last
    return last


def given(rng: random.Random, lang: str, locale: str) -> str:
    first = first_name(rng, lang, locale)
    roll = rng.random()
    if locale[:2] in ("es", "pt") and roll < 0.3 and " " not in first:
        first += " " + first_name(rng, lang, locale)
    elif roll < 0.05:
        first += "-" + first_name(rng, lang, locale)
    return first


def person(rng: random.Random, lang: str) -> str:
    locale = pick_locale(rng, lang)
    first, last = given(rng, lang, locale), surname(rng, lang, locale)
    roll = rng.random()
    if roll < 0.62:
        return f"{first} {last}"
    if roll < 0.68:
        return f"{first} {rng.choice(string.ascii_uppercase)}. {last}"
    if roll < 0.74:
        return f"{first} {last[0]}."
    if roll < 0.79:
        return f"{first[0]}. {last}"
    if roll < 0.81:
        return f"{first[0]}.{rng.choice(('', ' '))}{rng.choice(string.ascii_uppercase)}. {last}"
    if roll < 0.85:
        return f"{last}, {first}"
    if roll < 0.87:
        return f"{first} {first_name(rng, lang, locale)} {last}"
    if roll < 0.885:
        return f"{first} {last} {rng.choice(('Jr.', 'Jr', 'III', 'II', 'Sr.', 'Filho', 'Neto', 'Júnior'))}"
    if roll < 0.95:
        return first
    return last


def full_name(rng: random.Random, lang: str) -> str:
    locale = pick_locale(rng, lang)
    return f"{given(rng, lang, locale)} {surname(rng, lang, locale)}"


def first(rng: random.Random, lang: str) -> str:
    return given(rng, lang, pick_locale(rng, lang))


def last(rng: random.Random, lang: str) -> str:
    return surname(rng, lang, pick_locale(rng, lang))


def short_name(rng: random.Random, lang: str) -> str:
    locale = pick_locale(rng, lang)
    first, last = first_name(rng, lang, locale), last_name(rng, lang, locale)
    return rng.choice((f"{first} {last[0]}.", f"{first[0]}. {last}", f"{first[0]}.{last[0]}.", f"{first[0]}. {last[0]}.", f"{first} {last[0]}"))


def last_first(rng: random.Random, lang: str) -> str:
    locale = pick_locale(rng, lang)
    return f"{surname(rng, lang, locale)}, {given(rng, lang, locale)}"


# ---------------------------------------------------------------- places


def postcode(rng: random.Random, lang: str) -> str:
    shapes = {
        "en": ("#####", "#####", "#####-####", "AA# #AA", "AA## #AA", "A#A #A#", "####", "######"),
        "es": ("#####", "#####", "#####", "C####AAA", "######"),
        "pt": ("#####-###", "#####-###", "########", "####-###", "##.###-###"),
    }[lang]
    return shaped(rng, rng.choice(shapes))


def number(rng: random.Random) -> str:
    return str(rng.choice((rng.randint(1, 99), rng.randint(1, 999), rng.randint(100, 9999), rng.randint(1, 29999))))


def street_en(rng: random.Random) -> str:
    base = rng.choice((rng.choice(words.STREET_WORDS), last_name(rng, "en", "en_US"), rng.choice(words.STREET_WORDS) + " " + rng.choice(words.STREET_WORDS).lower().capitalize()))
    if rng.random() < 0.18:
        base = rng.choice(("1st 2nd 3rd 4th 5th 7th 9th 12th 21st 42nd 103rd 118th First Second Third Fifth Ninth".split()))
    direction = rng.choice(("", "", "", "", "N ", "S. ", "West ", "East ", "NW ", "North "))
    return f"{direction}{base} {rng.choice(words.STREET_KINDS['en'])}"


def unit(rng: random.Random, lang: str) -> str:
    kinds = {
        "en": ("Apt {n}", "Apt. {n}", "Suite {n}", "Unit {n}", "#{n}", "Flat {n}", "Floor {d}", "Ste {n}", "apt {d}{A}", "Room {n}"),
        "es": ("{d}º {A}", "{d}ºB", "piso {d}", "Piso {d}, Puerta {d}", "{d}{A}", "{d}º {d}ª", "depto. {n}", "Int. {n}", "Local {d}", "bajo", "Esc. {A}, {d}º izq.", "apto {n}", "Oficina {n}", "portal {d}"),
        "pt": ("apto {n}", "apto. {n}", "ap {n}", "Bloco {A}", "bloco {A}, apto {n}", "casa {d}", "sala {n}", "{d}º andar", "{d}º Esq.", "{d}º Dto", "fundos", "conj. {n}", "Lote {d}", "r/c"),
    }[lang]
    text = rng.choice(kinds)
    return text.format(n=rng.randint(1, 999), d=rng.randint(1, 9), A=rng.choice("ABCDEF"))


def street_name(rng: random.Random, lang: str) -> str:
    if lang == "en":
        return street_en(rng)
    kind = rng.choice(words.STREET_KINDS[lang])
    who = {"es": ("es_ES", "es_MX", "es_AR"), "pt": ("pt_BR", "pt_PT")}[lang]
    locale = rng.choice(who)
    name = rng.choice(
        (
            rng.choice(words.STREETS[lang]),
            rng.choice(words.STREETS[lang]),
            f"{first_name(rng, lang, locale)} {last_name(rng, lang, locale)}",
            f"{rng.choice(words.STREET_TITLES[lang])} {last_name(rng, lang, locale)}",
            city(rng, lang),
            last_name(rng, lang, locale),
        )
    )
    if lang == "pt" and rng.random() < 0.1:
        name = rng.choice(address_list("pt_BR", "bairros"))
    return f"{kind} {rng.choice(('', '', 'de ', 'del ' if lang == 'es' else 'do '))}{name}"


def street_abroad(rng: random.Random) -> str:
    """As written where none of the three languages is spoken, whichever language is written round it."""
    first, last = first_name(rng, "en", rng.choice(words.ABROAD_HOMES)), last_name(rng, "es", rng.choice(words.ABROAD_HOMES))
    n = rng.randint(1, 250)
    return rng.choice(words.STREETS_ABROAD).format(first=first, last=last, low=last.lower(), n=n, city=city(rng, ""))


def street(rng: random.Random, lang: str) -> str:
    if rng.random() < 0.12:
        return street_abroad(rng)
    name = street_name(rng, lang)
    n = number(rng)
    if lang == "en":
        text = f"{n} {name}" if rng.random() < 0.92 else f"{rng.choice(('PO Box', 'P.O. Box', 'Box', 'RR'))} {n}"
        return text + (rng.choice((", ", " ")) + unit(rng, lang) if rng.random() < 0.25 else "")
    joints = {"es": (", ", " ", ", nº ", " nº", " #", ", No. ", " N° ", ", núm. "), "pt": (", ", ", nº ", " ", ", n. ", ", n° ", ", ")}[lang]
    text = name + rng.choice(joints) + (n if rng.random() < 0.95 else "s/n")
    return text + (rng.choice((", ", " - ", " ", ", ")) + unit(rng, lang) if rng.random() < 0.4 else "")


def address(rng: random.Random, lang: str) -> str:
    """A street and what follows it, on one line or more."""
    base = street(rng, lang)
    if rng.random() < 0.3:
        return base
    comma = rng.choice((", ", ", ", ", ", " ", "\n", " - "))
    where, code = city(rng, lang), postcode(rng, lang)
    tails = {
        "en": (
            f"{where}, {rng.choice(words.US_STATES)} {code}", f"{where} {rng.choice(words.US_STATES)} {code}", where,
            f"{where}{comma}{code}", f"{where}, {state(rng, lang)}", f"{where}, {state(rng, lang)} {code}",
            f"{where}, {rng.choice(words.US_STATES)}", f"{where}{comma}{rng.choice(countries(lang))}",
            f"{where}{comma}{rng.choice(countries(lang))} {code}",
        ),
        "es": (
            f"{code} {where}", where, f"{code} {where}, {state(rng, lang)}", f"{where}, {state(rng, lang)}",
            f"{code} {where} ({state(rng, lang)})", f"Col. {rng.choice(words.STREETS['es'])}, {where}", f"{where} {code}",
            f"C.P. {code}, {where}", f"{where}{comma}{rng.choice(countries(lang))}",
        ),
        "pt": (
            f"{where} - {rng.choice(words.BR_STATES)}", f"{where}/{rng.choice(words.BR_STATES)}", where,
            f"{rng.choice(address_list('pt_BR', 'bairros'))}, {where} - {rng.choice(words.BR_STATES)}",
            f"{rng.choice(address_list('pt_BR', 'bairros'))}, {where}/{rng.choice(words.BR_STATES)}, CEP {code}",
            f"{code} {where}", f"{where}, {state(rng, lang)}", f"{where} - {rng.choice(words.BR_STATES)}, {code}",
        ),
    }[lang]  # fmt: skip
    return base + comma + rng.choice(tails)


def city_state(rng: random.Random, lang: str) -> str:
    short = {"en": rng.choice(words.US_STATES), "es": state(rng, "es"), "pt": rng.choice(words.BR_STATES)}[lang]
    joint = {"en": (", ",), "es": (", ", " (", ", "), "pt": ("/", " - ", ", ", "-")}[lang]
    chosen = rng.choice(joint)
    return f"{city(rng, lang)}{chosen}{short}" + (")" if chosen == " (" else "")


def place(rng: random.Random, lang: str) -> str:
    roll = rng.random()
    if roll < 0.62:
        return city(rng, lang)
    if roll < 0.74:
        return rng.choice(countries(lang))
    if roll < 0.86:
        return state(rng, lang)
    return city_state(rng, lang)


# ---------------------------------------------------------------- organisations


def company(rng: random.Random, lang: str) -> str:
    a, b = last_name(rng, lang, pick_locale(rng, lang)), last_name(rng, lang, pick_locale(rng, lang))
    word = rng.choice(words.COMPANY_WORDS[lang])
    other = rng.choice(words.COMPANY_WORDS[lang])
    suffix = rng.choice(words.COMPANY_SUFFIXES[lang])
    made = rng.choice(words.COINED_STARTS) + rng.choice(words.COINED_ENDS)
    kinds = (
        f"{a} {suffix}", f"{a} & {b}", f"{a}, {b} {words.AND[lang]} {last_name(rng, lang, 'en_US')}", f"{a}-{b}",
        f"{word} {other} {suffix}", f"{made} {suffix}", made, f"{made} {word}", f"{a} {word}", f"{word} {words.AND[lang]} {other}",
        f"{a} {words.AND[lang]} {b} {suffix}", f"{city(rng, lang)} {word}" if lang == "en" else f"{word} {city(rng, lang)}",
        f"Grupo {a}" if lang != "en" else f"The {word} {rng.choice(('Group', 'Company', 'Foundation', 'Trust'))}",
        rng.choice(words.KNOWN_COMPANIES), shaped(rng, rng.choice(("AAA", "AAA", "AAAA", "AA"))), f"{word} {other}",
        f"{made} {rng.choice(words.FIELDS[lang])}", f"{word}{other}" if lang == "en" else f"{made} {a}",
        f"{rng.choice(words.STREET_WORDS)} {rng.choice(words.STREET_WORDS)} {word}" if lang == "en" else f"{word} {rng.choice(words.STREETS[lang])}",
    )  # fmt: skip
    name = rng.choice(kinds)
    return name if rng.random() < 0.93 else name.lower()


def hospital(rng: random.Random, lang: str) -> str:
    who = last_name(rng, lang, pick_locale(rng, lang))
    saint = rng.choice(words.SAINTS[lang])
    name = rng.choice(words.HOSPITALS[lang]).format(
        city=city(rng, lang), who=who, saint=saint, state=state(rng, lang), word=rng.choice(words.STREET_WORDS),
        first=first_name(rng, lang, pick_locale(rng, lang)),
    )  # fmt: skip
    return name


def institution(rng: random.Random, lang: str) -> str:
    return rng.choice(words.INSTITUTIONS[lang]).format(
        city=city(rng, lang), who=last_name(rng, lang, pick_locale(rng, lang)), saint=rng.choice(words.SAINTS[lang]),
        state=state(rng, lang), first=first_name(rng, lang, pick_locale(rng, lang)), n=rng.randint(1, 40),
        field=rng.choice(words.FIELDS[lang]),
    )  # fmt: skip


def organization(rng: random.Random, lang: str) -> str:
    return rng.choice((company, company, institution, hospital))(rng, lang)


# ---------------------------------------------------------------- dates


def date(rng: random.Random, lang: str) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1930, 2027)
    name, short = words.MONTHS[lang][month - 1], words.MONTHS[lang][month - 1][:3]
    yy = year % 100
    numeric = (
        f"{day:02d}/{month:02d}/{year}", f"{day}/{month}/{year}", f"{day:02d}-{month:02d}-{year}", f"{day:02d}.{month:02d}.{year}",
        f"{year}-{month:02d}-{day:02d}", f"{day:02d}/{month:02d}/{yy:02d}", f"{day}-{month}-{yy:02d}", f"{day}/{month}",
        f"{year}/{month:02d}/{day:02d}", f"{month:02d}/{day:02d}/{year}", f"{month}/{day}/{yy:02d}",
    )  # fmt: skip
    if rng.random() < 0.42:
        return rng.choice(numeric)
    if lang == "en":
        th = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        written = (
            f"{name} {day}, {year}", f"{name} {day}{th}, {year}", f"{name} {day}", f"{name} {day}{th}", f"{day} {name} {year}",
            f"{day}{th} of {name} {year}", f"{short} {day}, {year}", f"{short} {day}{th} {year}", f"{day} {short} {year}", f"{day}-{short}-{year}",
            f"{short} {day}", f"{name} {year}", f"{name} {day} {year}", f"{day} {name}", f"the {day}{th} of {name}", f"{short}. {day}, '{yy:02d}",
            f"{short} {day}, '{yy:02d}", f"{short} {year}", f"{short}-{day}-{year}", f"{rng.choice(words.WEEKDAYS['en'])}, {name} {day}, {year}",
        )  # fmt: skip
    else:
        de = "de" if lang == "es" else "de"
        low = name.lower()
        cased = name if rng.random() < 0.25 else low
        written = (
            f"{day} {de} {cased} {de} {year}", f"{day} {de} {cased}", f"{day} {de} {cased} del {year}" if lang == "es" else f"{day}º {de} {cased} {de} {year}",
            f"{cased} {de} {year}", f"{day:02d} {de} {cased} {de} {year}", f"{day} {low[:3]} {year}", f"{day}-{low[:3]}-{year}", f"{day}/{low[:3]}/{year}",
            f"{day} {low} {year}", f"{cased} {year}", f"{rng.choice(words.WEEKDAYS[lang])}, {day} {de} {cased} {de} {year}", f"{low[:3]}/{year}", f"{day} {de} {low[:3]}. {de} {year}",
        )  # fmt: skip
    return rng.choice(written)


def stamp(rng: random.Random, lang: str) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1990, 2027)
    return f"{year}-{month:02d}-{day:02d}" + rng.choice(("", f"T{clock(rng, lang)}Z", f" {clock(rng, lang)}"))


def clock(rng: random.Random, lang: str) -> str:
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    if lang == "en" and rng.random() < 0.5:
        return rng.choice((f"{hour % 12 or 12}:{minute:02d} {rng.choice(('am', 'pm', 'AM', 'PM'))}", f"{hour % 12 or 12}{rng.choice(('am', 'pm', ' p.m.'))}"))
    return rng.choice((f"{hour:02d}:{minute:02d}", f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}:{rng.randint(0, 59):02d}", f"{hour}h{minute:02d}", f"{hour}h"))


# ---------------------------------------------------------------- contacts and numbers

PHONES = {
    "en": (
        "(###) ###-####", "###-###-####", "###.###.####", "### ### ####", "+1 ### ### ####", "+1-###-###-####", "1-800-###-####", "##########",
        "+44 #### ######", "0#### ######", "020 #### ####", "+91 ##### #####", "(###)###-####", "###-####", "+1 (###) ###-####", "###-###-####x###",
        "+61 # #### ####", "00# ### ### ####", "07### ######", "+353 ## ### ####", "001-###-###-####x###", "(##) ###-###", "0## ### ## ##", "##-########",
    ),
    "es": (
        "6## ### ###", "9## ### ###", "6## ## ## ##", "9# ### ## ##", "+34 6## ### ###", "+34 9# ### ## ##", "6########", "9########", "0034 ### ### ###",
        "## #### ####", "+52 ## #### ####", "(0##) ####-####", "+54 9 11 ####-####", "+57 3## ### ####", "9 #### ####", "+56 9 #### ####", "011 ####-####",
        "9##-##-##-##", "55 #### ####", "(55) ####-####", "6##-###-###", "91 ### ## ##", "34 9########",
    ),
    "pt": (
        "(##) 9####-####", "(##) ####-####", "## 9####-####", "+55 ## 9####-####", "+55 (##) 9####-####", "##9########", "9## ### ###", "21# ### ###",
        "+351 9## ### ###", "0800 ### ####", "(0##) ####-####", "9####-####", "00351 ### ### ###", "(##)9####-####", "## #### ####", "+5511#########",
    ),
}  # fmt: skip


def phone(rng: random.Random, lang: str) -> str:
    text = shaped(rng, rng.choice(PHONES[lang if rng.random() < 0.9 else rng.choice(("en", "es", "pt"))]))
    if lang == "en" and rng.random() < 0.06:
        text += rng.choice((" ext. ", " x", " ext ")) + digits(rng, rng.choice((2, 3, 4)))
    return text


def handle(rng: random.Random, lang: str) -> str:
    locale = pick_locale(rng, lang)
    a, b = plain(first_name(rng, lang, locale)), plain(last_name(rng, lang, locale))
    word = rng.choice(words.HANDLE_WORDS)
    tail = rng.choice(("", "", digits(rng, 2), digits(rng, 4), str(rng.randint(1960, 2012))))
    kinds = (f"{a}{b}", f"{a}.{b}", f"{a}_{b}", f"{a[0]}{b}", f"{a}{b[0]}", f"{b}.{a}", f"{word}_{a}", f"{a}-{b}", f"{a[0]}.{b}", f"{word}{rng.choice(words.HANDLE_WORDS)}")
    return rng.choice(kinds) + tail


def plain(name: str) -> str:
    from pii_tokens import fold

    return "".join(c for c in fold(name) if c.isalnum() and ord(c) < 128) or "ana"


def email(rng: random.Random, lang: str) -> str:
    domain = rng.choice(words.MAIL_HOSTS + [f"{plain(company(rng, lang))[:14]}.{rng.choice(words.TLDS)}"] * 8)
    text = f"{handle(rng, lang)}@{domain}"
    return text if rng.random() < 0.9 else text.title() if rng.random() < 0.3 else text.replace("@", rng.choice((" at ", " [at] ", " @ ", "(at)"))).replace(".com", rng.choice((".com", " dot com")))


def url(rng: random.Random, lang: str) -> str:
    host = rng.choice((plain(company(rng, lang))[:16], plain(full_name(rng, lang)), rng.choice(words.HANDLE_WORDS)))
    path = rng.choice(("", "", "/", f"/{handle(rng, lang)}", f"/users/{digits(rng, 5)}", f"/in/{handle(rng, lang)}", f"/profile?id={digits(rng, 6)}"))
    return rng.choice(("http://", "https://", "https://www.", "www.", "")) + f"{host}.{rng.choice(words.TLDS)}" + path


def ip(rng: random.Random, lang: str) -> str:
    if rng.random() < 0.75:
        return ".".join(str(rng.randint(1, 254)) for _ in range(4))
    return ":".join(f"{rng.randint(0, 65535):x}" for _ in range(8))


NATIONAL = {
    "en": ("###-##-####", "###-##-####", "### ## ####", "#########", "AA ## ## ## A", "AA######A", "### ### ####", "#### #### ####", "*##-##-####", "### ### ###"),
    "es": ("########A", "########-A", "########A", "A#######A", "A-#######-A", "##.###.###", "##.###.###-A", "AAAA######AAAAAA##", "AAAA######AA#", "##-########-#", "## ######## ##", "##.###.###-#", "A########", "########### ##"),
    "pt": ("###.###.###-##", "###.###.###-##", "###########", "##.###.###/####-##", "##.###.###-#", "#########", "##############", "### ### ###", "###.#####.##-#", "#.###.###"),
}  # fmt: skip
MEDICAL = (
    "######", "#######", "########", "###-##-####", "####-####", "##-##-##", "MRN######", "A######", "AA#######", "AA-######", "AAA-######", "HC######", "######-##",
    "##########", "###-###-###", "A##-#####", "####/##", "## ## #####", "NHC-######", "aaa-######", "AA ######", "#AA#-AA#-AA##", "#### ### ####", "PT-####", "#########", "AA-####-####",
)  # fmt: skip
DOCUMENT = (
    "A########", "AA######", "A#######", "#########", "AA#######", "A###-####-####", "########", "AAA######", "AA-###-##", "#AAA###", "AAA-####", "AAA#A##", "####-AAA", "AA##AAA",
    "A######(#)", "##AA#####", "#######-##.####.#.##.####", "######/####", "A-####-#####", "AAA######A", "EXP-####-####", "#AA####", "AAAAA######A#AA", "P########",
)  # fmt: skip
ACCOUNT = (
    "#### #### #### ####", "################", "####-####-####-####", "########", "##########", "############", "AA## #### #### #### #### ##", "AA##AAAA##############", "####-####-##-##########",
    "ES## #### #### #### #### ####", "ES######################", "####-#", "#####-#", "GB##AAAA##############", "BR#######################A#", "#### ###### #####", "##-##-##", "####.##.######-#",
    "PT50 #### #### ########### ##", "AC-########", "###-######-#", "#########", "ACC######", "BC1A***************************", "DE## #### #### #### #### ##", "##################",
)  # fmt: skip
SECRETS = (
    "************", "****************", "********************************", "sk-************************", "AKIAAAAAAAAAAAAAAAAA", "ghp_************************************", "aaaaaa##", "Aaaaaaa##!", "Aaaa@####",
    "aaaa-aaaa-##", "P@ss****", "Aaaaa$##aa", "####", "######", "eyJ*********************.*****************", "xoxb-############-************", "aaaaaaaa", "Aaaaaaaaa#", "aaa#Aaa#!x", "*****-*****-*****",
)  # fmt: skip


def age(rng: random.Random, lang: str) -> str:
    n = rng.choice((rng.randint(1, 99), rng.randint(18, 99)))
    return rng.choice(
        {
            "en": (f"{n}", f"{n}-year-old", f"{n} years old", f"{n}yo", f"{n} y/o", f"{n} yo", f"{n} years", f"{n}-yr-old", f"{n}y", f"{n} year old", f"{min(n, 20)} months"),
            "es": (f"{n} años", f"{n}", f"{n} años", f"{n} a.", f"{n} años de edad", f"{min(n, 20)} meses", f"{n}a"),
            "pt": (f"{n} anos", f"{n}", f"{n} anos de idade", f"{n}a", f"{min(n, 20)} meses", f"{n} anos"),
        }[lang]
    )


# ---------------------------------------------------------------- what is nobody's


def quantity(rng: random.Random, lang: str) -> str:
    point = "." if lang == "en" else rng.choice((",", "."))
    n = rng.choice((str(rng.randint(1, 20)), str(rng.randint(5, 900)), f"{rng.randint(0, 40)}{point}{rng.randint(1, 9)}", f"{rng.randint(1, 90)}{point}{rng.randint(10, 99)}"))
    return n + rng.choice((" ", " ", "")) + rng.choice(words.UNITS)


def price(rng: random.Random, lang: str) -> str:
    n = rng.choice((f"{rng.randint(1, 999)}", f"{rng.randint(1, 99)},{digits(rng, 3)}", f"{rng.randint(1, 999)}.{digits(rng, 2)}", f"{rng.randint(1, 99)}.{digits(rng, 3)},{digits(rng, 2)}"))
    return rng.choice({"en": (f"${n}", f"${n}", f"£{n}", f"{n} USD", f"{n} dollars", f"€{n}"), "es": (f"{n} €", f"{n} euros", f"${n}", f"{n} pesos", f"{n}€"), "pt": (f"R$ {n}", f"R${n}", f"{n} reais", f"{n} euros", f"€ {n}")}[lang])


def plain_number(rng: random.Random, lang: str) -> str:
    return rng.choice(
        (str(rng.randint(2, 30)), str(rng.randint(10, 5000)), f"{rng.randint(1, 99)}%", f"{rng.randint(1, 99)}.{rng.randint(0, 9)}%", f"{rng.randint(1, 9)},{digits(rng, 3)}", f"{rng.randint(1, 9)}.{digits(rng, 3)}.{digits(rng, 3)}",
         f"{rng.randint(1, 20)}-{rng.randint(21, 60)}", f"{rng.randint(1, 9)}/10", f"{rng.randint(1, 12)}x{rng.randint(1, 90)}")
    )  # fmt: skip


def version(rng: random.Random, lang: str) -> str:
    return rng.choice(("v", "", "version ", "")) + ".".join(str(rng.randint(0, 30)) for _ in range(rng.choice((2, 3, 3))))


def code_number(rng: random.Random, lang: str) -> str:
    """Codes that name a thing, a rule or an error, nobody's record."""
    return shaped(rng, rng.choice(words.THING_CODES))


def year(rng: random.Random, lang: str) -> str:
    return str(rng.choice((rng.randint(1950, 2030), rng.randint(1990, 2026), rng.randint(1500, 1949))))


def disease(rng: random.Random, lang: str) -> str:
    return rng.choice(words.DISEASES[lang])


PERSONAL: dict[str, tuple[str, Maker]] = {
    "person": ("person", person), "name": ("person", full_name), "first": ("person", first), "last": ("person", last),
    "short": ("person", short_name), "lastfirst": ("person", last_first),
    "city": ("location", city), "place": ("location", place), "state": ("location", state), "citystate": ("location", city_state),
    "country": ("location", lambda rng, lang: rng.choice(countries(lang))), "zip": ("location", postcode),
    "address": ("address", address), "street": ("address", street), "streetname": ("address", street_name),
    "org": ("organization", organization), "company": ("organization", company), "hospital": ("organization", hospital),
    "institution": ("organization", institution),
    "date": ("date", date), "dob": ("date", date), "stamp": ("date", stamp),
    "phone": ("phone", phone), "email": ("email", email), "url": ("url", url), "ip": ("url", ip),
    "user": ("username", handle), "natid": ("national-id", lambda rng, lang: shaped(rng, rng.choice(NATIONAL[lang]))),
    "mrn": ("medical-id", one_shape(*MEDICAL)), "doc": ("document-id", one_shape(*DOCUMENT)), "account": ("account", one_shape(*ACCOUNT)),
    "secret": ("secret", one_shape(*SECRETS)), "age": ("age", age),
}  # fmt: skip
PUBLIC: dict[str, Maker] = {
    "drug": one_of(words.DRUGS), "disease": disease, "qty": quantity, "price": price, "n": plain_number, "version": version, "code": code_number,
    "year": year, "time": clock, "weekday": one_of(words.WEEKDAYS), "month": one_of(words.MONTHS), "product": one_of(words.PRODUCTS), "title": one_of(words.TITLES),
    "job": one_of(words.JOBS), "relative": one_of(words.RELATIVES), "specialty": one_of(words.SPECIALTIES), "when": one_of(words.WHEN), "lab": one_of(words.LABS),
    "topic": one_of(words.TOPICS), "hello": one_of(words.HELLOS), "bye": one_of(words.BYES), "law": one_of(words.LAWS), "sex": one_of(words.SEXES), "adj": one_of(words.NATIONALITIES),
    "proc": one_of(words.PROCEDURES), "test": one_of(words.LABS),
}  # fmt: skip
