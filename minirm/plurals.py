"""Numbers of things in words."""


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and what it counts.

    Args:
        number: of how many.
        one: what a single one is called.
        many: what several are called, and none; None: the same with an s.

    >>> counted(1, "pair"), counted(0, "pair"), counted(2, "row that makes", "rows that make")
    ('1 pair', '0 pairs', '2 rows that make')
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"
