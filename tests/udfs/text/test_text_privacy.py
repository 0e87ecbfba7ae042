"""Masking: what is masked, what only looks so and stays, and that no text makes it slow."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.text import privacy
from udfs.text.values import Texts

KINDS = ["url", "email", "iban", "card", "ip", "phone"]
MASKS: dict[str, Callable[[Texts], Texts]] = {
    "url": privacy.mask_urls,
    "email": privacy.mask_emails,
    "iban": privacy.mask_ibans,
    "card": privacy.mask_cards,
    "ip": privacy.mask_ips,
    "phone": privacy.mask_phones,
}
MASKED = {
    "url": [
        "http://x.com/a?b=c#d", "https://user:word@host:80/x", "www.foo.org", "bit.ly/abc", "foo.co.uk", "FTP://x.y/z",
        "https://en.wikipedia.org/wiki/A_(b)", "http://[::1]/x", "sub.example.com/path/",
    ],
    "email": ["a@b.com", "a.b+c@x.co.uk", "o'brien@mail.example.com", "JO_HN-2@X.ORG", "rené@exämple.de"],
    "iban": [
        "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "fr1420041010050500013m02606", "NO93-8601-1117-947",
    ],
    "card": [
        "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005", "3782 822463 10005", "4222222222222",
        "6304000000000000000", "30569309025904",
    ],
    "ip": ["10.0.0.1", "255.255.255.255", "fe80::1", "2001:db8::8a2e:370:7334", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8"],
    "phone": [
        "555-123-4567", "(555) 123-4567", "555.123.4567", "1-800-555-0199", "212 555 0199", "+1 (555) 123-4567",
        "+44 20 7946 0958", "+44 (0)20 7946 0958", "020 7946 0958", "07700 900123", "08712300220", "0800 123 4567",
        "+49 30 12345678", "0049 30 1234567", "01 23 45 67 89", "030/1234567", "+91 98765 43210", "+33612345678",
        "(11) 98765-4321",
    ],
}  # fmt: skip
KEPT = {
    "url": ["end of day.me too", "ASP.NET", "e.g. this", "and/or", "Mr.Smith", "1.5/2.0", "http://", "www.", "a@x.com"],
    "email": ["a@b", "@name", "a @ b.com", "@x.com", "x@.com"],
    "iban": [
        "GB82 WEST 1234 5698 7654 33", "DE8937040044053201300", "XX89370400440532013000", "ES12 is my seat number 9",
    ],
    "card": [
        "4111 1111 1111 1112", "411111111117", "4111-1111 1111-1111",
        "0.4111111111111111", "4111111111111111x", "41111111111111110000",
    ],
    "ip": ["256.1.1.1", "1.2.3", "version 1.2.3.4", "v1.2.3.4", "12:30:45", "1.2.3.4.5", "std::a", "a::b", "10:30"],
    "phone": [
        "2024-01-15", "01/02/2024", "12.03.2024", "01-02-2024", "$1,234,567", "1999", "3.1415926535", "0.0750012345",
        "1.2.3", "10.4.17", "978-0-306-40615-7", "123-45-6789", "12345-6789", "20240115123045", "1,000,000",
        "£0500000000", "call 2024-01-15", "call 01-02-2024", "12:30:45", "text WIN to 87121", "5551234",
        "1 000 000 000", "08712300220123456", "07123456789.5", "0123456789abcdef",
    ],
}  # fmt: skip
HOSTILE_LENGTH = 200_000


@pytest.mark.parametrize(("kind", "secret"), [(kind, each) for kind in KINDS for each in MASKED[kind]])
def test_what_is_private_is_masked(kind: str, secret: str) -> None:
    """Alone, within a sentence, in brackets and before a stop; by its own step and by the one for all."""
    for text in ("{}", "it is {} now", "it is ({}).", "{}, and {}!", "\u2067שלום {} 😀"):
        told = text.replace("{}", secret)
        assert MASKS[kind]([told]) == [text.replace("{}", f"<{kind}>")]
        assert privacy.mask_private([told]) == [text.replace("{}", f"<{kind}>")]
        assert privacy.found(told) == {**dict.fromkeys(KINDS, 0), kind: text.count("{}")}


@pytest.mark.parametrize(("kind", "text"), [(kind, each) for kind in KINDS for each in KEPT[kind]])
def test_what_only_looks_private_stays(kind: str, text: str) -> None:
    """Dates, prices, versions, wrong checksums."""
    for told in (text, f"it is {text} now", f"({text})."):
        assert MASKS[kind]([told]) == [told]


def test_a_word_of_calling_makes_a_number_a_phone() -> None:
    """Seven digits and more after it."""
    texts: Texts = ["call 5551234", "Tel.: 5551234567!", "ring me on 555 1234", "call09064012160 now", "recall 5551234"]
    assert privacy.mask_phones(texts) == [
        "call <phone>", "Tel.: <phone>!", "ring me on <phone>", "call<phone> now", "recall 5551234",
    ]  # fmt: skip


def test_numbers_side_by_side_are_told_apart() -> None:
    """A card and its code, two accounts, what stands around."""
    assert privacy.mask_cards(["4111 1111 1111 1111 123 and 12 4111-1111-1111-1111"]) == ["<card> 123 and 12 <card>"]
    both = "DE89370400440532013000 GB82WEST12345698765432 IS MINE"
    assert privacy.mask_ibans([both]) == ["<iban> <iban> IS MINE"]
    assert privacy.mask_private(["mailto:a@b.com http://u:p@h.com/x"]) == ["mailto:<email> <url>"]


@given(st.text("0123456789", min_size=12, max_size=18), st.sampled_from(["", " ", "-"]))
def test_cards_are_masked_by_luhn(digits: str, sign: str) -> None:
    """One last digit of ten makes a card, as an oracle that counts has it."""
    digits = "4" + digits[1:]
    grouped = [sign.join((digits + last)[at : at + 4] for at in range(0, len(digits) + 1, 4)) for last in "0123456789"]
    right = str(
        -sum(int(d) * 2 - 9 * (int(d) > 4) if at % 2 == 0 else int(d) for at, d in enumerate(digits[::-1])) % 10
    )
    whole = [text for text in grouped if privacy.mask_cards([text]) == ["<card>"]]
    assert whole == [grouped[int(right)]] if sign == "" else grouped[int(right)] in whole


def test_every_ip_of_the_standard_library_is_masked() -> None:
    """IPv4 and IPv6, written short and long."""
    rng = random.Random(5)
    for _ in range(300):
        four = str(ipaddress.IPv4Address(rng.getrandbits(32)))
        six = ipaddress.IPv6Address(rng.getrandbits(128) & ~(0xFFFFFFFF << 48))
        assert privacy.mask_ips([four, str(six), six.exploded]) == ["<ip>"] * 3


@given(st.lists(st.none() | st.text(st.characters()) | st.text("0123456789-.+ @:/aAwf()", max_size=60), max_size=4))
def test_masking_keeps_nulls_and_rows_apart_and_counts_what_it_masks(texts: Texts) -> None:
    """Any text, lone surrogates too."""
    out = privacy.mask_private(texts)
    assert out == [privacy.mask_private([text])[0] for text in texts]
    assert [each is None for each in out] == [each is None for each in texts]
    for text, masked in zip(texts, out, strict=True):
        if text is not None and masked is not None:
            counts = privacy.found(text)
            assert (masked == text) == (sum(counts.values()) == 0)
            assert all(masked.count(f"<{kind}>") == count + text.count(f"<{kind}>") for kind, count in counts.items())


def test_kinds_and_tokens_can_be_chosen() -> None:
    """And a kind that there is not is refused."""
    text = "a@b.com 10.0.0.1"
    assert privacy.mask_private([text], kinds=("ip",), style="square") == ["a@b.com [ip]"]
    assert privacy.mask_private([text, None], style="word") == ["EMAIL IP", None]
    assert privacy.mask_private([text], kinds=("ip", "email")) == privacy.mask_private([text], kinds=("email", "ip"))
    with pytest.raises(ValueError, match="phones is no kind"):
        privacy.mask_private([text], kinds=("phones",))


@pytest.mark.parametrize(
    "unit",
    [
        "1", "1 ", "12 ", "1234 ", "4111 ", "4-", "a.", "a@", "@", "a", "a-", "www.", "http://", "a.b@", "1.", "1.1.",
        ":", "::", "f:", "+1", "+", "(0", "01 ", "GB82", "GB82 ", "A1 ", "call ", "call 1", "call me on ", "0 0", "1-",
        "00", "x.com/", "a'", ").", "é@", "٣", "+44 ", "\ud800",
    ],
)  # fmt: skip
def test_hostile_texts_take_linear_time(unit: str) -> None:
    """200 kB of it, and each kind."""
    began = time.process_time()
    every_kind_looks = " @ . : 1"
    privacy.mask_private([unit * (HOSTILE_LENGTH // len(unit)) + every_kind_looks])
    assert time.process_time() - began < 2


def test_a_long_line_is_soon_masked() -> None:
    """Ten megabytes of one line, masked of one kind."""
    line = "Write to a.person@example.com about the 12 things we saw. " * 175_000
    began = time.process_time()
    assert privacy.mask_emails([line]) == [line.replace("a.person@example.com", "<email>")]
    assert time.process_time() - began < 5


def test_a_number_after_a_word_of_calling_goes_whole() -> None:
    made = privacy.mask_phones(["call +44 20 7946 0958 now", "text +1 (212) 555-0199", "Call me on: 07946 095812"])
    assert made == ["call <phone> now", "text <phone>", "Call me on: <phone>"]
