"""Readers of tables, one module each: `pieces` lists on the driver what there is, `read` reads one on a worker.

As the readers of images, but for what they give: columns of text (`Cells`) for good records, and refusals for bad
ones. Sources that Spark itself reads (delta, jdbc) have `frame` and `read_rows` instead.
"""
