"""Simple English clauses: tokens, word lists, noun phrases, verb groups and what may follow them."""
