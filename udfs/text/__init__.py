"""Texts: repairs, rules that refuse, steps that change.

A random step is `f(random, texts, *, options)`, one that mixes texts `f(random, texts, others, *, options)`, a repair
`f(texts, *, options)`, a rule `reject_*(texts, *, options)`; texts are as `udfs/text/values.py` has them. Only names in
`__all__` can be named in a recipe. English is what the steps know; what they cannot handle stays as it is.
"""

from __future__ import annotations

from udfs.text.contractions import contraction, expansion
from udfs.text.editing import random_crop, sentence_shuffle, word_deletion, word_insertion, word_swap
from udfs.text.grammar import grammar_errors
from udfs.text.markup import strip_html
from udfs.text.mixing import sentence_mix
from udfs.text.noise import casing_noise, keyboard_typos, misspellings, ocr_noise, punctuation_noise, transposition
from udfs.text.privacy import mask_cards, mask_emails, mask_ibans, mask_ips, mask_phones, mask_private, mask_urls
from udfs.text.reduction import lemmatisation, stemming
from udfs.text.rejects import (
    reject_empty,
    reject_few_stopwords,
    reject_language,
    reject_length,
    reject_repetition,
    reject_symbols,
)
from udfs.text.repair import collapse_whitespace, fix_encoding, strip_control, unicode_form
from udfs.text.restructuring import adverb_moving, clause_fronting, conjunction_join, conjunction_split
from udfs.text.synonyms import synonym_replacement
from udfs.text.voice import active_voice, passive_voice

VALUES = "texts"  # what the parameter of a step is called that holds them
GIVES = ("Texts",)  # what a step that does not mix gives

__all__ = [
    "active_voice",
    "adverb_moving",
    "casing_noise",
    "clause_fronting",
    "collapse_whitespace",
    "conjunction_join",
    "conjunction_split",
    "contraction",
    "expansion",
    "fix_encoding",
    "grammar_errors",
    "keyboard_typos",
    "lemmatisation",
    "mask_cards",
    "mask_emails",
    "mask_ibans",
    "mask_ips",
    "mask_phones",
    "mask_private",
    "mask_urls",
    "misspellings",
    "ocr_noise",
    "passive_voice",
    "punctuation_noise",
    "random_crop",
    "reject_empty",
    "reject_few_stopwords",
    "reject_language",
    "reject_length",
    "reject_repetition",
    "reject_symbols",
    "sentence_mix",
    "sentence_shuffle",
    "stemming",
    "strip_control",
    "strip_html",
    "synonym_replacement",
    "transposition",
    "unicode_form",
    "word_deletion",
    "word_insertion",
    "word_swap",
]
