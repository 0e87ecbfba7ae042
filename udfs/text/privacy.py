"""Masking of private data: what can be told by its shape gives way to a token such as `<email>`.

Names and street addresses have no shape and are not found. Where a shape leaves doubt, a checksum decides (cards,
IBANs) or a word before it (`call 5551234`, `version 1.2.3.4`). The patterns are linear: their parts exclude each other,
so that there is one way to match, or are bounded.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Literal

from udfs.options import Names
from udfs.text.repair import changed
from udfs.text.values import Texts

REVISION = 1

Style = Literal["angle", "square", "word"]  # <email>, [email], EMAIL
Span = tuple[int, int]  # of a text: where it begins, where the rest begins

_TOKENS: dict[str, Callable[[str], str]] = {"angle": "<{}>".format, "square": "[{}]".format, "word": str.upper}


def mask_private(texts: Texts, *, kinds: Names | None = None, style: Style = "angle") -> Texts:
    """Put tokens for urls, emails, ibans, cards, ips and phones, or for those of `kinds` (`url`, `email` ...)."""
    unknown = sorted(set(kinds or ()) - set(_FINDERS))
    if unknown:
        raise ValueError(f"{unknown[0]} is no kind of private data; there are {', '.join(_FINDERS)}")
    wanted = [kind for kind in _FINDERS if kinds is None or kind in kinds]
    return changed(texts, lambda text: functools.reduce(lambda left, kind: _masked(left, kind, style), wanted, text))


def mask_urls(texts: Texts, *, style: Style = "angle") -> Texts:
    """Put `<url>` for addresses of the web, `www.` and bare ones with a well-known ending too."""
    return mask_private(texts, kinds=("url",), style=style)


def mask_emails(texts: Texts, *, style: Style = "angle") -> Texts:
    """Put `<email>` for addresses of mail."""
    return mask_private(texts, kinds=("email",), style=style)


def mask_ibans(texts: Texts, *, style: Style = "angle") -> Texts:
    """Put `<iban>` for accounts whose length is their country's and whose checksum holds (ISO 13616, mod 97)."""
    return mask_private(texts, kinds=("iban",), style=style)


def mask_cards(texts: Texts, *, style: Style = "angle") -> Texts:
    """Put `<card>` for 13 to 19 digits, in one or in groups, whose checksum holds (Luhn)."""
    return mask_private(texts, kinds=("card",), style=style)


def mask_ips(texts: Texts, *, style: Style = "angle") -> Texts:
    """Put `<ip>` for addresses of the internet, IPv4 and IPv6; not for a `version 1.2.3.4`."""
    return mask_private(texts, kinds=("ip",), style=style)


def mask_phones(texts: Texts, *, style: Style = "angle") -> Texts:
    """Put `<phone>` for international numbers and common national shapes; not for dates, prices and versions."""
    return mask_private(texts, kinds=("phone",), style=style)


def found(text: str) -> dict[str, int]:
    """How often each kind of private data stands in a text, each place counted as one kind."""
    counts = {}
    for kind, finder in _FINDERS.items():
        counts[kind] = sum(1 for _ in finder(text))
        text = _masked(text, kind, "angle")
    return counts


def _masked(text: str, kind: str, style: Style) -> str:
    """One kind masked."""
    parts, begin = list[str](), 0
    for start, end in _FINDERS[kind](text):
        parts += [text[begin:start], _TOKENS[style](kind)]
        begin = end
    return "".join([*parts, text[begin:]]) if parts else text


_DIGIT = re.compile("[0-9]")

# --- addresses ---

_ENDINGS = r"com|org|edu|gov|(?:co|org|ac|gov)\.uk|com\.au"
_ENDINGS_WITH_PATH = rf"{_ENDINGS}|net|int|mil|info|biz|io|co|ly|gl|me|tv|be|to|app|dev|ai|eu|uk|us|ca|de|fr|nl"
_URL = re.compile(
    r"(?<![a-z0-9@])(?:(?:https?|ftp)://|www\.)(?=[\w\[])[^\s<>\"]++"
    r"|(?<![\w@.-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,6}"
    rf"(?:(?:{_ENDINGS})(?![\w@-]|\.\w)|(?:{_ENDINGS_WITH_PATH})(?=[/?#][\w~?#-]))(?:[/?#][^\s<>\"]*+)?",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"(?<![\w%+-])\w[\w.%+'-]{0,63}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w@-])")
_AFTER_URLS = ".,;:!?'\"’”…]}*"


def _urls(text: str) -> Iterator[Span]:
    for at in _URL.finditer(text) if "." in text or "://" in text else ():
        yield at.start(), at.start() + len(_without_end(at.group()))


def _without_end(url: str) -> str:
    """Without the punctuation that ends a sentence, and the brackets that were opened before it."""
    url = url.rstrip(_AFTER_URLS)
    spare = min(url.count(")") - url.count("("), len(url) - len(url.rstrip(")")))
    return url[:-spare].rstrip(_AFTER_URLS) if spare > 0 else url


def _emails(text: str) -> Iterator[Span]:
    yield from (at.span() for at in _EMAIL.finditer(text)) if "@" in text else ()


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IP = re.compile(
    rf"(?<![\w.])(?<!version )(?<!release )(?:{_BYTE}\.){{3}}{_BYTE}(?![\w]|\.[0-9])"
    r"|(?<![\w:.])(?=[0-9a-f]{0,4}:)[0-9a-f:.]{2,45}+(?![\w:.])",
    re.IGNORECASE,
)


def _ips(text: str) -> Iterator[Span]:
    for at in _IP.finditer(text) if "." in text or ":" in text else ():
        address = at.group().rstrip(".")
        if ":" not in address or (_DIGIT.search(address) and _is_ip(address)):
            yield at.start(), at.start() + len(address)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# --- numbers with a checksum ---

_GROUPS = re.compile(r"(?<![\w.])[0-9]++(?:[ \xa0-][0-9]++)*+(?![\w])")
_GROUP = re.compile("[0-9]+")


def _cards(text: str) -> Iterator[Span]:
    """Groups of three digits or more with one kind of sign between them, the first of four or more."""
    for at in _GROUPS.finditer(text):
        groups, place = [each.span() for each in _GROUP.finditer(text, *at.span())], 0
        while place < len(groups):
            begin, end = groups[place]
            taken = _card_at(text, groups[place : place + 6]) if 4 <= end - begin <= 19 else 0
            if taken:
                yield begin, groups[place + taken - 1][1]
            place += taken or 1


def _card_at(text: str, groups: list[Span]) -> int:
    """Of how many of these groups a card's number consists, from the first on; 0: of none."""
    lengths = [end - begin for begin, end in groups]
    for count, length in reversed(list(enumerate(accumulate(lengths), 1))):
        signs = {text[end] for _, end in groups[: count - 1]}
        if 13 <= length <= 19 and min([3, *lengths[1 : count - 1]]) >= 3 and len(signs) < 2:
            digits = "".join(text[begin:end] for begin, end in groups[:count])
            if digits[0] != "0" and _luhn(digits):
                return count
    return 0


def _luhn(digits: str) -> bool:
    """Whether the checksum of ISO/IEC 7812 holds."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


_IBAN = re.compile(
    r"(?<![A-Za-z0-9])(?=([A-Za-z]{2}[0-9]{2}(?:[ \xa0-]?[A-Za-z0-9]){11,29}))"  # overlapping ones too
)
_IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 "
    "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 "
    "QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)


def _ibans(text: str) -> Iterator[Span]:
    begin = 0
    for at in _IBAN.finditer(text) if _DIGIT.search(text) else ():
        length = _lengths().get(at[1][:2].upper(), 0)
        ends = [place for place, sign in enumerate(at[1], 1) if sign not in " \xa0-"][length - 1 : length]
        end = at.start() + ends[0] if length and ends else 0
        if end and at.start() >= begin and not text[end : end + 1].isalnum() and _mod_97(text[at.start() : end]):
            yield at.start(), end
            begin = end


@functools.cache
def _lengths() -> dict[str, int]:
    """How many signs the IBANs of a country have (SWIFT's registry)."""
    return {each[:2]: int(each[2:]) for each in _IBAN_LENGTHS.split()}


def _mod_97(iban: str) -> bool:
    """Whether the checksum of ISO 7064 holds."""
    signs = [sign for sign in iban if sign not in " \xa0-"]
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1


# --- phones ---

_NEXT = r"(?:[ \xa0.()-]{0,2}[0-9])"
_CALLING = r"(?:call|phone|tel|telephone|mobile|mob|cell|fax|text|txt|sms|ring|dial|contact|whatsapp)"
_PHONE = re.compile(
    rf"(?<![a-z]){_CALLING}[^\w+]{{0,4}}(?:(?:me|us|him|her|them|on|at|no|number|free|now|is)[^\w+]{{1,4}}){{0,3}}"
    r"(?![0-9]{4}[.-][0-9]{1,2}[.-]|[0-9]{1,2}[.-][0-9]{1,2}[.-])"  # dates
    r"(?P<called>(?:\+[ ]?)?\(?[0-9](?:[ .()-]{0,2}[0-9]){6,11})(?![0-9])"
    r"|(?<![\w+$£€¥#])(?<![0-9][.,-])(?:"
    rf"(?:\+[ ]?|00(?=[1-9]))(?:1{_NEXT}{{10}}|44(?:[ ]?\(0\))?{_NEXT}{{10}}|(?!1|44)[2-9]{_NEXT}{{7,13}})"
    r"|(?:1[ .-])?(?:\([0-9]{3}\)[ \xa0.-]?|[0-9]{3}[.-])[0-9]{3}[ .-][0-9]{4}"  # North America
    r"|(?:1 )?[2-9][0-9]{2}[ \xa0][2-9][0-9]{2}[ \xa0-][0-9]{4}"
    r"|(?:\(0[1-9][0-9]{1,4}\)[ \xa0/-]?|0[1-9][0-9]{1,4}[ \xa0/-])"  # with a trunk's zero
    r"(?:[0-9]{3,4}[ \xa0-][0-9]{3,4}|[0-9]{6,8})"
    r"|0[1-9][0-9]{8,9}|447[0-9]{9}|0[1-9](?:[ .-][0-9]{2}){4}|\([0-9]{2}\)[ ]?9?[0-9]{4}[ -][0-9]{4}"
    r")(?![0-9]|[.,-][0-9]|[a-f][0-9a-f])",
    re.IGNORECASE,
)


def _phones(text: str) -> Iterator[Span]:
    for at in _PHONE.finditer(text) if _DIGIT.search(text) else ():
        yield at.span("called" if at["called"] else 0)


_FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "url": _urls,
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "ip": _ips,
    "phone": _phones,
}  # in the order in which they look: what one has masked is gone for the next
