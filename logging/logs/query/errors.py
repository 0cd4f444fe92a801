"""What is wrong with a query, and where."""

from __future__ import annotations


class QueryError(ValueError):
    """`column` and `length` in characters from 0; the text says what to write instead."""

    def __init__(self, message: str, column: int, length: int = 1) -> None:
        super().__init__(message)
        self.column, self.length = column, max(1, length)
