"""Repairs of texts: what each takes out, what it must leave, and that hostile texts take no longer than others."""

from __future__ import annotations

import html
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udfs.text import repair
from udfs.text.markup import strip_html
from udfs.text.values import Texts

REPAIRS: list[Callable[[Texts], Texts]] = [
    repair.fix_encoding,
    repair.unicode_form,
    repair.strip_control,
    repair.collapse_whitespace,
    strip_html,
]
ANY_TEXT = st.text(st.characters())  # lone surrogates too
HOSTILE_LENGTH = 300_000
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
EMOJI = [
    FAMILY,
    "\u2764\ufe0f\u200d\U0001f525",  # heart on fire
    "\U0001f469\U0001f3fd\u200d\U0001f4bb",  # with a tone of skin
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "1\ufe0f\u20e3",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # flag of England
    "\U0001f1e9\U0001f1ea",
]


@pytest.mark.parametrize("step", REPAIRS)
@given(texts=st.lists(st.none() | ANY_TEXT, max_size=5))
def test_a_repair_keeps_nulls_and_looks_at_one_row_alone(step: Callable[[Texts], Texts], texts: Texts) -> None:
    """Any text gives a text, null gives null, and rows do not depend on their batch."""
    out = step(texts)
    assert [each is None for each in out] == [each is None for each in texts]
    assert out == [step([text])[0] for text in texts]


@pytest.mark.parametrize("step", [repair.unicode_form, repair.strip_control, repair.collapse_whitespace])
@given(text=ANY_TEXT)
def test_a_repaired_text_needs_no_more_repair(step: Callable[[Texts], Texts], text: str) -> None:
    """A second time changes nothing."""
    assert step(step([text])) == step([text])


@pytest.mark.parametrize("step", REPAIRS)
def test_a_long_line_is_soon_repaired(step: Callable[[Texts], Texts]) -> None:
    """Two million characters of one line, of which some need repair."""
    line = "Some <b>words</b> of a long line; it’s “quoted”, ﬁne.\u200b " * 37_000
    began = time.process_time()
    assert step([line])[0]
    assert time.process_time() - began < 3


def test_ten_megabytes_of_html_in_one_line_are_soon_stripped() -> None:
    """Half a million tags."""
    began = time.process_time()
    assert strip_html(["<b>some text</b> and more and more &amp; " * 250_000]) == [
        "some text and more and more & " * 250_000
    ]
    assert time.process_time() - began < 8


@pytest.mark.parametrize("unit", ["Ã", "â€", "Ã¢â‚¬", "\x80", "\ud800", "\u200d", "a\u200d", FAMILY + "\u200d", "\r"])
@pytest.mark.parametrize("step", [repair.fix_encoding, repair.strip_control, repair.collapse_whitespace])
def test_hostile_texts_take_linear_time(step: Callable[[Texts], Texts], unit: str) -> None:
    """Nothing in a text makes a repair slow."""
    began = time.process_time()
    step([unit * (HOSTILE_LENGTH // len(unit))])
    assert time.process_time() - began < 2


@given(ANY_TEXT)
def test_unicode_forms_are_those_of_the_standard(text: str) -> None:
    """As `unicodedata` has them."""
    assert repair.unicode_form([text], form="NFC") == [unicodedata.normalize("NFC", text)]
    assert repair.unicode_form([text]) == [unicodedata.normalize("NFKC", text)]


def test_marks_without_end_take_linear_time() -> None:
    """Putting marks in order takes the square of their number: many in a row are taken in pieces, a few hundred not."""
    some = "a" + "\u0301\u0316" * 100
    assert repair.unicode_form([some + "x" * 2000]) == [unicodedata.normalize("NFKC", some + "x" * 2000)]
    began = time.process_time()
    repair.unicode_form(["a" + "\u0301\u0316" * HOSTILE_LENGTH])
    assert time.process_time() - began < 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_utf_8_is_read_as_it_was_written(text: str) -> None:
    """With or without a mark of byte order, declared or not; so is any encoding with such a mark."""
    bare = text.removeprefix("\ufeff")
    assert repair.decoded(bare.encode()) == bare
    assert repair.decoded(bare.encode(), "utf-8") == bare
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        if bare and bare[0] != "\0":  # FF FE 00 00 marks UTF-32
            assert repair.decoded(bare.encode(encoding)) == bare


@given(st.binary(), st.sampled_from([None, "utf-8", "ascii", "utf-16", "idna", "hex", "no such", "\0", "cp1252"]))
def test_any_bytes_are_read(raw: bytes, encoding: str | None) -> None:
    """No bytes and no declaration raise."""
    assert isinstance(repair.decoded(raw, encoding), str)


@pytest.mark.parametrize(
    ("raw", "declared", "encoding", "text"),
    [
        (b"caf\xe9", "latin-1", "latin-1", "café"),
        (b"\xc3\xa9", "cp1252", "cp1252", "Ã©"),  # declared wrongly: `fix_encoding` mends it
        (b"caf\xe9", "utf-8", repair.MIXED, "café"),
        (b"caf\xe9", None, repair.MIXED, "café"),
        ("é ’".encode() + b" \x93x\x94 \x81", None, repair.MIXED, "é ’ “x” \x81"),
        ("é".encode(), "no such", "utf-8", "é"),
        (b"\xff\xfeh\0i\0x", None, "utf-16", "hi\ufffd"),
        (b"\xef\xbb\xbfh\xe9", None, repair.MIXED, "hé"),
        (b"", None, "utf-8", ""),
    ],
)
def test_bytes_are_read_by_declaration_then_mark_then_utf_8(
    raw: bytes, declared: str | None, encoding: str, text: str
) -> None:
    """What is no UTF-8 among UTF-8 is read as Windows-1252, byte by byte."""
    assert repair.encoding_of(raw, declared) == encoding
    assert repair.decoded(raw, declared) == text


@pytest.mark.parametrize("text", ["it’s “naïve” – café", "schön", "10 €", "SÃO PAULO", "שלום", "привет", FAMILY])
def test_text_that_was_misread_is_mended_and_other_text_stays(text: str) -> None:
    """UTF-8 that was read as Windows-1252, once or twice."""
    assert repair.fix_encoding([text]) == [text]
    misread = text.encode().decode("cp1252", "ignore")
    if misread.encode("cp1252") == text.encode():
        assert repair.fix_encoding([misread]) == [text]


def test_only_the_encoding_is_fixed() -> None:
    """Quotes, ligatures, entities and line ends are left to other steps."""
    text = "“ﬁne” &amp; ＬＯＵＤ\r\n\u2028 e\u0301"
    assert repair.fix_encoding([text]) == [text]


@pytest.mark.parametrize("emoji", EMOJI)
def test_emoji_stay_whole(emoji: str) -> None:
    """Joiners and tags within one are kept."""
    text = f"so {emoji}{emoji} it is"
    assert repair.strip_control([text]) == [text]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\ufeffa\u200bb\u2060c\xadd", "abcd"),
        ("a\u202eb\u202c\u2066c\u2069\u200fd", "abcd"),
        ("a\0b\x07c\x1b[0m\x7f\x85d", "abc[0m\nd"),
        ("a\tb\r\nc\nd\x0ce\u2028f", "a\tb\r\nc\nd\ne\nf"),
        ("a\u200db\u200cc", "abc"),
        ("a\U000e0068\U000e0069b", "ab"),  # hidden letters
        ("\ud83d\ude00 \ud800 \udc00", "\U0001f600  "),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("שָׁלוֹם", "שָׁלוֹם"),
        ("e\u0301", "e\u0301"),
    ],
)
def test_what_cannot_be_seen_goes(text: str, left: str) -> None:
    """But tabs, line ends, marks on letters, and joiners that shape letters."""
    assert repair.strip_control([text]) == [left]


@given(ANY_TEXT)
def test_white_space_collapses_as_split_and_join_do(text: str) -> None:
    """One space between words, or words and lines."""
    assert repair.collapse_whitespace([text]) == [" ".join(text.split())]
    kept = repair.collapse_whitespace([text], keep_lines=True)[0]
    assert kept is not None and kept.split() == text.split() and "\n\n\n" not in kept and kept == kept.strip()


def test_lines_are_kept_when_asked() -> None:
    """With one empty line between paragraphs."""
    text = "  one \xa0 two\t\r\n\r\n\r\n \n three \n four  "
    assert repair.collapse_whitespace([text], keep_lines=True) == ["one two\n\nthree\nfour"]
    assert repair.collapse_whitespace(["a\n\n\nb"], keep_lines=True) == ["a\n\nb"]
    assert repair.collapse_whitespace([" \n\t", ""]) == ["", ""]


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "I <3 you",
        "x <y and z> w",
        "if a <b and c> d",
        "<email> or <url>",
        "x<5 && y>3",
        "AT&T; R&D &copy=1 &bogus;",
        "<",
        "->",
        "<>",
        "<p",
        "</",
        "<!",
        "1 << 2 >> 3",
        "List<String> x",
    ],
)
def test_what_only_looks_like_html_stays(text: str) -> None:
    """Comparisons, hearts, tokens, generics."""
    assert strip_html([text]) == [text]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<b>bold</b> <A HREF='x'>link</A >", "bold link"),
        ("<p>one</p><p>two<br/>three", "\none\n\ntwo\nthree"),
        ("<td>a</td><td>b</td>", " a  b "),
        ("<a title='x > y' rel=\"q\">l</a>", "l"),
        ("<a title=don't>l</a>", "l"),
        ("x<!-- <b>no</b> -->y<!-- open", "xy open"),
        ("<script>if(a<b){'</p>'}</script>z<STYLE type=x>p{}</style >w", "zw"),
        ("<script src=x />a<script>open", "aopen"),
        ("<!DOCTYPE html><?xml version='1'?><![CDATA[x]]><![endif]>y", "xy"),
        ("&lt;b&gt; &amp;amp; &#39;&#x27; caf&eacute; &#0;", "<b> &amp; '' café \ufffd"),
        ("<b<b>c", "<bc"),
        ("a</script>b</script>c", "abc"),
        ('<a title="x>one<b>two" c>three', 'onetwo" c>three'),  # an open quote takes no text away
    ],
)
def test_html_leaves_what_it_shows(text: str, left: str) -> None:
    """Broken markup too."""
    assert strip_html([text]) == [left]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_escaped_text_comes_back(text: str) -> None:
    """Whatever a page shows, within tags and escaped."""
    assert strip_html([f"<span>{html.escape(text)}</span>"]) == [text]


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<!--",
        "<a ",
        "<a '",
        "<a \"'",
        '"<a ',
        "<a",
        "<![",
        "<!doctype",
        "<?xml ",
        "]]",
        "-->",
        "<b x",
        "&",
        "&#1",
        "<script>",
        "<script></script",
        "</script ",
        "<style>",
        "<script " + " " * 99,
    ],
)
def test_hostile_html_takes_linear_time(unit: str) -> None:
    """A million characters of it."""
    began = time.process_time()
    strip_html([unit * (1_000_000 // len(unit))])
    assert time.process_time() - began < 2
