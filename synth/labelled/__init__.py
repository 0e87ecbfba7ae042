"""Rows of one payload and a label, such as texts and series: what score and evaluate do alike for them.

What differs lies in the modality's package: `rows` (with `payload`, which judges are asked), `pools`, `judges`,
`verdicts`.
"""
