"""Reports as pages of their own, to be sent to somebody: one file, no script, nothing fetched.

The pictures are SVG written here, not matplotlib's: a report then needs no optional package, its
text stays text (to be searched, enlarged and read aloud) and follows the page into the dark.
"""
